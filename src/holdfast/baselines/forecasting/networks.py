"""The networks that trees are compared with: DLinear, an LSTM, a small N-HiTS and an MLP.

All map (windows (N, w), covariates (N, M)) to (N, h). They are given the same windows and covariates as the trees, and
the covariates enter each of them: as a linear term (DLinear, N-HiTS) or beside the window (MLP) or its encoding (LSTM).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from holdfast.training.learner import Learner


class Forecast(nn.Module, ABC):
    """A net from windows (N, w) and the covariates of their last steps (N, M) to the next steps (N, h)."""

    @abstractmethod
    def forward(self, window: Tensor, covariates: Tensor) -> Tensor:
        """(N, h)."""


class DLinear(Forecast):
    """Two linear maps: of the window's moving average, and of what is left (Zeng et al. 2023, section 3).

    The moving average keeps the length of the window: both ends are padded with their own value. A linear term of the
    covariates is added.

    Args:
        lookback, covariates, horizon: w, M, h.
        kernel: steps of the moving average, odd.

    Example:
        >>> DLinear(8, 2, 4)(torch.zeros(3, 8), torch.zeros(3, 2)).shape
        torch.Size([3, 4])
    """

    def __init__(self, lookback: int, covariates: int, horizon: int, kernel: int = 13) -> None:
        super().__init__()
        self.kernel = kernel
        self.trend = nn.Linear(lookback, horizon)
        self.rest = nn.Linear(lookback, horizon, bias=False)
        self.exogenous = nn.Linear(covariates, horizon, bias=False) if covariates else None

    def forward(self, window: Tensor, covariates: Tensor) -> Tensor:
        trend = moving_average(window, self.kernel)
        forecast: Tensor = self.trend(trend) + self.rest(window - trend)
        return forecast if self.exogenous is None else forecast + self.exogenous(covariates)


def moving_average(window: Tensor, kernel: int) -> Tensor:
    """Mean over `kernel` (odd) neighbouring steps of (N, w), ends padded with the first and last value: (N, w)."""
    half = kernel // 2
    padded = functional.pad(window[:, None], (half, half), mode="replicate")
    return functional.avg_pool1d(padded, kernel, stride=1)[:, 0]


class LSTM(Forecast):
    """One LSTM layer over the window; its last state and the covariates give all steps at once.

    Args:
        lookback, covariates, horizon: w, M, h.
        width: size of the state.
    """

    def __init__(self, lookback: int, covariates: int, horizon: int, width: int = 32) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(1, width, batch_first=True)
        self.readout = nn.Linear(width + covariates, horizon)

    def forward(self, window: Tensor, covariates: Tensor) -> Tensor:
        states, _ = self.recurrent(window[:, :, None])
        forecast: Tensor = self.readout(torch.cat([states[:, -1], covariates], dim=1))
        return forecast


class MLP(Forecast):
    """Window and covariates through two hidden layers.

    Args:
        lookback, covariates, horizon: w, M, h.
        width: of the hidden layers.
    """

    def __init__(self, lookback: int, covariates: int, horizon: int, width: int = 64) -> None:
        super().__init__()
        self.layers = perceptron(lookback + covariates, width, horizon)

    def forward(self, window: Tensor, covariates: Tensor) -> Tensor:
        forecast: Tensor = self.layers(torch.cat([window, covariates], dim=1))
        return forecast


class NHiTS(Forecast):
    """Blocks at several resolutions, each explaining what the ones before left (Challu et al. 2023, section 3).

    A block pools the window (maximum over `pool` steps), and an MLP gives few coefficients of a backcast and of a
    forecast, which are interpolated linearly to w and h steps. The backcast is subtracted from the window that the next
    block sees, the forecasts add up. A block that pools over p steps has ceil(h / p) coefficients for the forecast.
    One block per resolution, without dropout; covariates go into every MLP.

    Args:
        lookback, covariates, horizon: w, M, h.
        width: of the MLPs' hidden layers.
        pools: steps that each block pools over, coarse to fine.
    """

    def __init__(
        self, lookback: int, covariates: int, horizon: int, width: int = 64, pools: Sequence[int] = (8, 4, 1)
    ) -> None:
        super().__init__()
        self.pools = tuple(min(pool, lookback) for pool in pools)
        self.coefficients = [(-(-lookback // pool), -(-horizon // pool)) for pool in self.pools]
        self.blocks = nn.ModuleList(
            perceptron(back + covariates, width, back + ahead) for back, ahead in self.coefficients
        )
        self.horizon = horizon

    def forward(self, window: Tensor, covariates: Tensor) -> Tensor:
        forecast = window.new_zeros(len(window), self.horizon)
        rest = window
        for pool, (back, ahead), block in zip(self.pools, self.coefficients, self.blocks, strict=True):
            pooled = functional.max_pool1d(rest[:, None], pool, stride=pool, ceil_mode=True)[:, 0]
            theta = block(torch.cat([pooled, covariates], dim=1))
            rest = rest - stretched(theta[:, :back], window.shape[1])
            forecast = forecast + stretched(theta[:, back : back + ahead], self.horizon)
        return forecast


def stretched(values: Tensor, length: int) -> Tensor:
    """(N, k) interpolated linearly to (N, length), first and last value at the ends."""
    if values.shape[1] == length:
        return values
    return functional.interpolate(values[:, None], size=length, mode="linear", align_corners=True)[:, 0]


def perceptron(inputs: int, width: int, outputs: int) -> nn.Sequential:
    """Two hidden layers with ReLU."""
    return nn.Sequential(
        nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs)
    )


class Regression(Learner):
    """A net, the squared error, and AdamW.

    Args:
        net: what is trained.
        lr, weight_decay: of AdamW.
    """

    def __init__(self, net: Forecast, lr: float, weight_decay: float = 0.0) -> None:
        super().__init__()
        self.net = net
        self._lr, self._weight_decay = lr, weight_decay

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        return functional.mse_loss(self.net(batch["window"], batch["covariates"]), batch["target"]), {}

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.AdamW(self.parameters(), lr=self._lr, weight_decay=self._weight_decay)]


__all__ = ["LSTM", "MLP", "DLinear", "Forecast", "NHiTS", "Regression", "moving_average", "perceptron", "stretched"]
