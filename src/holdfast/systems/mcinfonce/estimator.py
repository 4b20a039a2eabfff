"""A probabilistic embedding of a user's own rows: `fit` from labels or pairs, `embed`, `credible_sets`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from holdfast.data.batches import Batches
from holdfast.devices import check_device
from holdfast.errors import InputError
from holdfast.estimator import Estimator, Example, Tags
from holdfast.estimator.labels import encode_labels
from holdfast.layers.standardise import Standardise
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.mcinfonce.method.credible import credible_set
from holdfast.systems.mcinfonce.method.head import ProbabilisticHead
from holdfast.systems.mcinfonce.method.losses import MCInfoNCE
from holdfast.systems.mcinfonce.method.vmf import cap_threshold
from holdfast.training import Learner, fit
from holdfast.training.inference import forward_in_batches
from holdfast.training.threads import threads_for
from holdfast.validation import check_array, check_integer, check_positive, check_same_length

ROWS = 4096  # answered at a time


class ProbabilisticEncoder(Estimator):
    """A direction mu and a concentration kappa for each row; low kappa: ambiguous.

    Two networks are trained on standardised rows, first mu with kappa as it starts, then kappa with mu as it is.

    Args:
        dim: dimensions of the sphere, at least 2.
        kappa_pos: how sharply pairs are told from others; one over the temperature.
        width: of the two networks, which have two hidden layers.
        steps: training steps of each of the two phases.
        batch: pairs per step.
        negatives: rows of other classes for each pair.
        samples: drawn of each distribution per step.
        lr: learning rate of Adam.
        device: "cpu", "cuda", "cuda:1", ...
        seed: of initialisation, pairs and samples.

    Attributes:
        features_: F.
        head_: the two networks.
        scale_: mean and scale of the training rows.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = np.arange(200) % 4
        >>> X = 3 * rng.normal(size=(4, 5))[y] + rng.normal(size=(200, 5))
        >>> mu, kappa = ProbabilisticEncoder(dim=3, steps=20).fit(X, y).embed(X)
        >>> mu.shape, kappa.shape
        ((200, 3), (200,))
    """

    tags = Tags(labels=("labels",), outputs=("directions", "concentrations"), tolerance=1e-3)

    def __init__(
        self,
        dim: int = 8,
        kappa_pos: float = 16.0,
        width: int = 64,
        steps: int = 500,
        batch: int = 128,
        negatives: int = 8,
        samples: int = 8,
        lr: float = 1e-3,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        self.dim, self.kappa_pos, self.width, self.steps, self.batch = dim, kappa_pos, width, steps, batch
        self.negatives, self.samples, self.lr, self.device, self.seed = negatives, samples, lr, device, seed

    # ---------------------------------------------------------------------------------------------------------- fitting
    def fit(
        self, X: Any, labels: Any = None, pairs: Any = None, *, progress: Callable[[int, int], None] | None = None
    ) -> Self:
        """Train.

        Args:
            X: (N, F) numbers: embeddings of your own, or features.
            labels: (N,) of any kind: rows with the same one belong together.
            pairs: (P, 2) whole numbers in place of labels: rows that belong together; all other rows are others.
            progress: called with (steps done, steps).

        Raises:
            InputError: an argument breaks a rule; not one of labels and pairs; no two rows that belong together, or
                none that do not.
        """
        self._check()
        x = torch.as_tensor(np.asarray(check_array(X, "N F", name="X", dtype="float32")))
        if (labels is None) == (pairs is None):
            raise InputError("labels", "must be given, or else pairs", "neither" if labels is None else "both")
        source: _ByLabel | _ByPair
        if labels is not None:
            index, _ = encode_labels(labels, name="labels")
            check_same_length(X=x, labels=index)
            source = _ByLabel(torch.as_tensor(np.asarray(index)))
        else:
            source = _ByPair(_checked_pairs(pairs, len(x)), len(x))
        if not bool((x != x[:1]).any()):
            raise InputError("X", "must hold at least two different rows", f"{len(x)} equal ones")
        self._forget()
        self.features_ = int(x.shape[1])
        self.scale_ = Standardise(self.features_).learn(x)
        x = self.scale_(x)
        self.head_ = self._head().calibrate(x[:1000] if bool((x[:1000] != x[:1]).any()) else x)
        for phase, of_mu in enumerate((True, False)):
            learner = _Phase(self.head_, x, source, self, of_mu)
            batches = Batches(
                {"row": source.references()}, min(self.batch, len(source.references())), self.seed + phase
            )
            shown = None if progress is None else partial(_shown, progress, phase)
            with threads_for(learner.head):
                seed = derived_seed(self.seed, f"phase {phase}")
                fit(learner, batches, steps=self.steps, seed=seed, device=self.device, on_step=shown)
        self.head_ = self.head_.cpu().eval()
        return self

    def _check(self) -> None:
        for name in ("width", "steps", "batch", "negatives", "samples"):
            check_integer(getattr(self, name), name, low=1)
        check_integer(self.dim, "dim", low=2)
        check_integer(self.seed, "seed", low=0)
        check_positive(self.kappa_pos, "kappa_pos")
        check_positive(self.lr, "lr")
        check_device(self.device)

    def _head(self) -> ProbabilisticHead:
        with seeded(derived_seed(self.seed, "init")):
            return ProbabilisticHead(self.features_, self.dim, "network", 16.0, self.width, hidden=2)

    def _build(self) -> Mapping[str, Any]:
        return {"head_": self._head(), "scale_": Standardise(self.features_)}

    # ------------------------------------------------------------------------------------------------------- answering
    def embed(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Directions (N, dim), unit vectors, and concentrations (N,) of rows (N, F), float32."""
        self.check_fitted()
        x = check_array(X, "N F", name="X", dtype="float32", sizes={"F": self.features_})
        scaled = self.scale_(torch.as_tensor(np.asarray(x)))
        found = forward_in_batches(_Both(self.head_), scaled, ROWS).numpy()
        return found[:, :-1], found[:, -1]

    def directions(self, X: Any) -> np.ndarray:
        """mu (N, dim)."""
        return self.embed(X)[0]

    def concentrations(self, X: Any) -> np.ndarray:
        """kappa (N,): the lower, the more ambiguous."""
        return self.embed(X)[1]

    def credible_sets(self, X: Any, gallery: Any, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Which rows of a gallery (G, F) each row of X may mean: mask (N, G), and the cosine threshold (N,).

        Raises:
            InputError: an argument breaks a rule.
        """
        mu, kappa = (torch.from_numpy(part) for part in self.embed(X))
        mask, threshold = credible_set(mu, kappa[:, None], torch.from_numpy(self.directions(gallery)), level)
        return mask.numpy(), threshold[:, 0].numpy()

    def credible_counts(self, mu: np.ndarray, kappa: np.ndarray, level: float = 0.95) -> np.ndarray:
        """How many of the rows, given by what `embed` answers, lie in each one's credible set, (N,)."""
        gallery, threshold = torch.from_numpy(mu), cap_threshold(torch.from_numpy(kappa), mu.shape[1], level)
        parts = zip(gallery.split(ROWS // 4), threshold.split(ROWS // 4), strict=True)
        return torch.cat([(part @ gallery.T >= t[:, None]).sum(1) for part, t in parts]).numpy()

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        data = {"X": rng.normal(size=(18, 4)), "labels": np.arange(18) % 3}
        return Example(data, rng.normal(size=(5, 4)), {"dim": 3, "width": 8, "steps": 3, "batch": 6, "negatives": 2})


def _shown(progress: Callable[[int, int], None], phase: int, done: int, steps: int) -> None:
    progress(phase * steps + done, 2 * steps)


class _Both(torch.nn.Module):
    """mu and kappa side by side."""

    def __init__(self, head: ProbabilisticHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat(self.head(x), 1)


class _ByLabel:
    """Positives of the same label, another row; negatives of other labels. Rows stand sorted by label."""

    def __init__(self, labels: Tensor) -> None:
        self.order = labels.argsort(stable=True)
        self.place = self.order.argsort()
        self.size = labels.bincount()[labels]
        self.start = torch.searchsorted(labels[self.order], labels)
        if not bool((self.size > 1).any()):
            raise InputError("labels", "must hold a label that two rows share", f"{len(labels)} different ones")

    def references(self) -> Tensor:
        return (self.size > 1).nonzero()[:, 0]

    def draw(self, row: Tensor, negatives: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Positive (B,) and negatives (B, M) of references."""
        order, size, start = (part.to(row.device) for part in (self.order, self.size, self.start))
        place = self.place.to(row.device)[row]
        size, start = size[row], start[row]
        u = torch.rand(len(row), negatives + 1, generator=rng, device=row.device, dtype=torch.float64)
        ahead = 1 + (u[:, 0] * (size - 1)).long().clamp(max=size - 2)
        positive = order[start + (place - start + ahead) % size]
        others = (len(order) - size)[:, None]
        far = (u[:, 1:] * others).long().minimum(others - 1)
        return positive, order[torch.where(far < start[:, None], far, far + size[:, None])]


class _ByPair:
    """Positives of a list of pairs, in both directions; negatives are any rows but the two."""

    def __init__(self, pairs: Tensor, rows: int) -> None:
        self.pairs, self.rows = torch.cat([pairs, pairs.flip(1)]), rows

    def references(self) -> Tensor:
        return torch.arange(len(self.pairs))

    def draw(self, row: Tensor, negatives: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """As above; `row` is a number of a pair."""
        ends = self.pairs.to(row.device)[row]
        low, high = ends.min(1, keepdim=True).values, ends.max(1, keepdim=True).values
        far = torch.randint(self.rows - 2, (len(row), negatives), generator=rng, device=row.device)
        far = far + (far >= low)
        return ends[:, 1], far + (far >= high)

    def first(self, row: Tensor) -> Tensor:
        """The reference's own row."""
        return self.pairs.to(row.device)[row, 0]


class _Phase(Learner):
    """Training of mu, or of kappa."""

    def __init__(
        self,
        head: ProbabilisticHead,
        x: Tensor,
        source: _ByLabel | _ByPair,
        settings: ProbabilisticEncoder,
        of_mu: bool,
    ) -> None:
        super().__init__()
        self.head, self.source, self.of_mu = head, source, of_mu
        self.negatives, self.lr = settings.negatives, settings.lr
        self.pair_loss = MCInfoNCE(settings.kappa_pos, settings.samples)
        self.register_buffer("x", x, persistent=False)

    def optimizers(self) -> list[torch.optim.Optimizer]:
        net = self.head.mu_net if self.of_mu else self.head.kappa_net
        assert net is not None
        return [torch.optim.Adam(net.parameters(), self.lr)]

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        row = batch["row"]
        positive, negative = self.source.draw(row, self.negatives, rng)
        first = row if isinstance(self.source, _ByLabel) else self.source.first(row)
        rows: Tensor = self.x[torch.cat([first[:, None], positive[:, None], negative], 1)]  # type: ignore[index]
        with torch.set_grad_enabled(self.of_mu):
            mu = self.head.direction(rows)
        with torch.set_grad_enabled(not self.of_mu):
            kappa = self.head.kappa(rows)
        parts = (mu[:, 0], kappa[:, 0], mu[:, 1:2], kappa[:, 1:2], mu[:, 2:], kappa[:, 2:])
        return self.pair_loss(*parts, generator=rng), {}


def _checked_pairs(pairs: Any, rows: int) -> Tensor:
    found = torch.as_tensor(np.asarray(check_array(pairs, "P 2", name="pairs", dtype="int64")))
    wrong = ((found < 0) | (found >= rows)).any() or (found[:, 0] == found[:, 1]).any() or not len(found)
    if bool(wrong):
        raise InputError("pairs", f"must name two different rows from 0 to {rows - 1} each", "others")
    if rows < 3:
        raise InputError("X", "must have at least 3 rows", rows)
    return found


__all__ = ["ProbabilisticEncoder"]
