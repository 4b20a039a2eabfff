"""The coordinate check (appendix D.1): do activations keep their size as the width grows, after a few steps?

Most mistakes of a parametrization raise no exception: a readout without its multiplier, weights drawn anew with a fixed
std, a width that was left out. All of them show as activations (or their updates) that grow or vanish with the width.

A layer that learns too slowly still gives outputs that change, as its inputs do. What its own weights have changed of
its output is therefore measured as well, for layers with hidden weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from holdfast.devices import check_device
from holdfast.errors import InputError
from holdfast.layers.attention_keys import Attention, Keys, found_in
from holdfast.layers.contractions import Contractions
from holdfast.layers.embedding_scales import TABLES, embedding_scales
from holdfast.layers.multipliers import ScaleOutput
from holdfast.layers.recorder import OutputRecorder
from holdfast.own_model import built
from holdfast.randomness import seeded
from holdfast.systems.mutransfer.method.bare import LAYOUTS
from holdfast.systems.mutransfer.method.dimensions import plain
from holdfast.systems.mutransfer.tool.parametrization import MuParametrization
from holdfast.systems.mutransfer.tool.report import MuReport
from holdfast.training.batch_loss import Batch, LossOf, default_loss, fitting, to_device

if TYPE_CHECKING:
    import pandas as pd

GROWS = 0.35  # slopes of log size over log width: noise at widths of hundreds stays below, every mistake is near 1/2
VANISHES = -0.6
WHOLE, LOGITS = "(model)", "(attention logits)"


@dataclass(frozen=True)
class Finding:
    """A layer whose activations change with the width, or (step 1) whose weight is not what it is taken for."""

    layer: str
    what: str
    slope: float
    step: int

    def __str__(self) -> str:
        if self.step < 2:
            return f"{self.layer}: {self.what}"
        power = f"width^{self.slope:+.2f}"
        return f"{self.layer}: {self.what} as {power} after {self.step - 1} step{'s' if self.step != 2 else ''}"


@dataclass(frozen=True)
class CoordCheck:
    """Result of `coord_check`.

    Attributes:
        frame: a row per (width, seed, step, layer): `size` = mean |x| of the output, `change` = mean |x_t - x_1|, and
            at the last step `own` = mean |(W_t - W_1) x_t| of layers with hidden weights.
        slopes: a row per (layer, step): slopes of their logs over log width, in the order of execution.
        findings: what is wrong, the layer where it starts first.
        hint: what it may come from, if it looks like something known.
    """

    frame: pd.DataFrame
    slopes: pd.DataFrame
    findings: tuple[Finding, ...] = field(default=())
    hint: str = ""

    @property
    def passed(self) -> bool:
        """Whether every layer keeps its size."""
        return not self.findings

    @property
    def layer(self) -> str | None:
        """The first layer, in the order of execution, that does not."""
        return self.findings[0].layer if self.findings else None

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.passed:
            return "passed: every activation keeps its size as the width grows"
        rest = len(self.findings) - 1
        after = f"; {rest} layer{'s' if rest > 1 else ''} after it follow" if rest else ""
        return f"failed at {self.findings[0]}{after}{self.hint}"

    def figure(self) -> Any:
        """Matplotlib figure: size of every layer's output over the width, one panel per step."""
        from holdfast.systems.mutransfer.tool.figures import coordinates

        return coordinates(self).figure


def coord_check(
    build: Callable[[int], nn.Module],
    widths: Sequence[int],
    batch: Batch,
    *,
    mu: MuParametrization | None = None,
    optimizer: type[Optimizer] = torch.optim.Adam,
    lr: float = 1e-2,
    steps: int = 4,
    seeds: int = 3,
    first_seed: int = 0,
    loss: LossOf = default_loss,
    prepare: Callable[[nn.Module], Any] | None = None,
    device: str | torch.device = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> CoordCheck:
    """Train models of several widths for a few steps on one batch and see whether activations keep their size.

    Args:
        build: width -> freshly initialised model.
        widths: at least three, best over a factor of 8.
        batch: (x, y) or a dict of keyword arguments.
        mu: the parametrization; None = muP with the smallest width as the base.
        optimizer: its class.
        lr: a large rate shows mistakes sooner.
        steps: forward passes; the first is before any step and is not judged (readouts may vanish there).
        seeds: models per width, from `first_seed` on.
        loss: (model, batch) -> scalar.
        prepare: called with each parametrized model: whatever your training does to it before it starts.
        device: "cpu", "cuda", "cuda:1", ...
        progress: called with (done, total).

    Raises:
        InputError: fewer than three widths, the batch does not fit the model, or see `MuParametrization`.

    Example:
        >>> def build(width):
        ...     hidden = nn.Linear(width, width)
        ...     return nn.Sequential(nn.Linear(8, width), nn.ReLU(), hidden, nn.ReLU(), nn.Linear(width, 3))
        >>> batch = torch.randn(32, 8), torch.randint(3, (32,))
        >>> coord_check(build, [64, 128, 256], batch).verdict
        'passed: every activation keeps its size as the width grows'
    """
    import pandas as pd

    widths = sorted(set(widths))
    if len(widths) < 3:
        raise InputError("widths", "must be at least three different ones", widths)
    for name, value, least in (("steps", steps, 2), ("seeds", seeds, 1)):
        if value < least:
            raise InputError(name, f"must be at least {least}", value)
    mu = mu or MuParametrization.from_builder(build, widths[0])
    device = check_device(device)
    batch = to_device(batch, device)
    rows: list[dict[str, Any]] = []
    for i, width in enumerate(widths):
        for seed in range(seeds):
            with seeded(first_seed + seed):
                model = built(build, width).to(device)
                report = mu.apply(model)
                if prepare is not None:
                    prepare(model)
                step = report.optimizer(optimizer, model, lr)
                watched = _watch(model, step, batch, loss, steps, mu.attention, _slow(report, model))
                rows += [{"width": width, "seed": seed, **row} for row in watched]
            if progress is not None:
                progress(i * seeds + seed + 1, len(widths) * seeds)
    frame = pd.DataFrame(rows)
    slopes = _slopes(frame)
    tables = {name for name, module in model.named_modules() if isinstance(module, TABLES)}
    found = [*_swapped(report, model, batch, loss), *_findings(slopes, _choosing(report, model))]
    return CoordCheck(frame, slopes, tuple(found), _hint(found, slopes, tables - set(embedding_scales(model))))


def _swapped(report: MuReport, model: nn.Module, batch: Batch, loss: LossOf) -> Iterator[Finding]:
    """Bare tensors whose inputs, as the model uses them, are another axis than the one that was scaled as such."""
    bare = {i.name: i for i in report.infos.values() if not i.owners[0].kind and len(i.shape) > 1 and i.ninf}
    judged = {name: i for name, i in bare.items() if i.role == "hidden" or (i.infinite[0] and i.ninf == 1)}
    tensors = {plain(name): p for name, p in model.named_parameters() if plain(name) in judged}
    if not tensors:
        return
    with torch.no_grad(), Contractions(tensors) as seen:
        loss(model, batch)
    for name, axis in seen.axes.items():
        info = judged[name]
        if axis == info.owners[0].fan_in or info.m_in == info.shape[axis] / info.base[axis]:
            continue
        layout = next((k for k, axes in LAYOUTS.items() if axes[1] == axis and len(k.split()) == len(info.shape)), None)
        cure = f": say so, roles={{{name!r}: {layout!r}}}" if layout else ""
        what = f"the inputs of {name} are its axis {axis}, not {info.owners[0].fan_in}{cure}"
        yield Finding(info.owners[0].module or WHOLE, what, 0.0, 1)


def _choosing(report: MuReport, model: nn.Module) -> set[str]:
    """Layers that serve a softmax inside the model: queries and keys, finite tables (position biases), bare routers."""
    owners = [(info, owner) for info in report.infos.values() for owner in info.owners]
    finite = {o.module for info, o in owners if o.table and not info.ninf}
    routers = {o.module for info, o in owners if info.role == "output" and not o.kind}
    words = {*QUERIES, *QUERIES.values()}
    return finite | routers | {name for name, _ in model.named_modules() if name.rpartition(".")[2] in words}


def _slow(report: MuReport, model: nn.Module) -> dict[str, dict[str, Tensor]]:
    """Layers with hidden weights -> their own tensors now."""
    layers = {info.owners[0].module for info in report.infos.values() if info.role == "hidden"}
    return {
        name: {key: p.detach().clone() for key, p in module._parameters.items() if p is not None}
        for name, module in model.named_modules()
        if plain(f"{name}.")[:-1] in layers - _choosing(report, model)
    }


def _watch(
    model: nn.Module,
    optimizer: Optimizer,
    batch: Batch,
    loss: LossOf,
    steps: int,
    attention: Attention | None,
    before: dict[str, dict[str, Tensor]],
) -> list[dict[str, Any]]:
    """Sizes of all outputs in `steps` forward passes, dropout off, with a step of the optimiser after each."""
    model.eval()  # dropout would drown small changes in noise
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train()  # running statistics start far from the batch's
    rows: list[dict[str, Any]] = []
    first: dict[str, Tensor] = {}
    for t in range(1, steps + 1):
        with Recorder(model, attention, before if t == steps else None) as recorder:
            value = fitting(loss, model, batch) if t == 1 else loss(model, batch)
        for order, (layer, output) in enumerate(recorder.outputs().items()):
            first.setdefault(layer, output)
            size, change = output.abs().mean(), (output - first[layer]).abs().mean()
            leaf = layer in recorder.leaves
            row = {"step": t, "layer": layer, "order": order, "leaf": leaf, "size": float(size)}
            rows.append({**row, "change": float(change), "own": recorder.moved.get(layer, float("nan"))})
        if t < steps:
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
    return rows


class Recorder(OutputRecorder):
    """Also keeps the mean |q.k| / sqrt(d) of layers that make keys and their queries, as "<parent> (attention logits)".

    What the whole model gives counts as a layer where no layer gives it, such as a readout written as a function.
    """

    def __init__(
        self,
        model: nn.Module,
        attention: Attention | None = None,
        before: dict[str, dict[str, Tensor]] | None = None,
    ) -> None:
        super().__init__(model, before)
        self._keys, _ = found_in(model, attention)
        # A module with tensors of its own computes something itself, whatever it has inside: stacked experts do.
        self.leaves |= {name for name, module in model.named_modules() if name and module._parameters}

    def outputs(self) -> dict[str, Tensor]:
        """Layer -> output, in the order of execution."""
        found = super().outputs()
        for name, module in self._model.named_modules():
            for hook in module._forward_hooks.values():
                if name in found and isinstance(module, TABLES) and isinstance(hook, ScaleOutput):
                    found[name] = hook(module, (), found[name])  # what undoes the model's own factor belongs to it
        given = {output.data_ptr() for name, output in found.items() if name in self.leaves and name}
        if (whole := found.pop("", None)) is not None:
            found[WHOLE] = whole
            if whole.data_ptr() not in given:
                self.leaves.add(WHOLE)
        for keys in self._keys:
            logits = self._logits(keys)
            if logits is not None:
                name = f"{keys.name.rpartition('.')[0] or WHOLE} {LOGITS}"
                found[name] = logits
                self.leaves.add(name)
        return found

    def _logits(self, keys: Keys) -> Tensor | None:
        """q.k of every head with the model's own factor, 1 / sqrt(d) in most, for every pair of positions."""
        parent, _, last = keys.name.rpartition(".")
        k = self._found.get(keys.name)
        if k is None or k.dim() != 3:
            return None
        for hook in self._model.get_submodule(keys.name)._forward_hooks.values():
            if isinstance(hook, ScaleOutput):
                k = hook(self._model, (), k)
        if keys.part != (0.0, 1.0):
            q, k, _ = k.chunk(3, dim=-1)
        else:
            query = f"{parent}.{QUERIES.get(last, '')}".lstrip(".")
            if query not in self._found or self._found[query].shape != k.shape:
                return None
            q = self._found[query]
        heads = k.shape[-1] // keys.head_width
        q, k = (x.unflatten(-1, (heads, keys.head_width)) for x in (q, k))
        return torch.einsum("bihd,bjhd->bhij", q, k) * keys.scale


QUERIES = {
    "k": "q",
    "key": "query",
    "keys": "queries",
    "k_proj": "q_proj",
    "key_proj": "query_proj",
    "to_k": "to_q",
    "wk": "wq",
    "w_k": "w_q",
    "W_k": "W_q",
    "Wk": "Wq",
    "k_lin": "q_lin",
}


def _slopes(frame: pd.DataFrame) -> pd.DataFrame:
    """Least-squares slopes of log size and log change over log width, per layer and step, over all seeds."""
    import numpy as np
    import pandas as pd

    rows = []
    for (order, layer, step), cell in frame.groupby(["order", "layer", "step"], sort=True):
        x = np.log2(cell["width"].to_numpy(float))
        row = {"layer": layer, "step": int(step), "order": int(order), "leaf": bool(cell["leaf"].iloc[0])}
        for what in ("size", "change"):
            y = cell[what].to_numpy(float)
            finite = np.isfinite(y).all()
            row[what] = float(np.polyfit(x, np.log2(y), 1)[0]) if finite and (y > 0).all() else float("nan")
            if not finite:
                row[what] = float("inf")  # diverged: it grew out of bounds
        own = cell["own"].to_numpy(float)
        row["own"] = float(np.polyfit(x, np.log2(own), 1)[0]) if np.isfinite(own).all() and (own > 0).all() else np.nan
        rows.append(row)
    return pd.DataFrame(rows).sort_values(["step", "order"], ignore_index=True)


def _findings(slopes: pd.DataFrame, choosing: set[str]) -> list[Finding]:
    """Leaves that grow, or whose change grows or vanishes, in the order of execution; each at its first such step.

    Attention logits may vanish: as width^-1/2 while queries and keys are independent, faster where the step follows the
    gradient's size. What serves them, and routers, may vanish with them.
    """
    found: dict[str, Finding] = {}
    judged = slopes[slopes["step"] >= 2]
    for row in judged.sort_values(["order", "step"]).itertuples():
        if not row.leaf or row.layer in found:
            continue
        if row.size > GROWS:
            found[row.layer] = Finding(row.layer, "its size grows", row.size, row.step)
        elif row.change > GROWS:
            found[row.layer] = Finding(row.layer, "its change grows", row.change, row.step)
        elif row.change < VANISHES and not row.layer.endswith(LOGITS) and row.layer not in choosing:
            found[row.layer] = Finding(row.layer, "its change vanishes", row.change, row.step)
        elif row.own < VANISHES:
            found[row.layer] = Finding(row.layer, "what its own weights change vanishes", row.own, row.step)
    return list(found.values())


def _hint(found: list[Finding], slopes: pd.DataFrame, tables: set[str]) -> str:
    """What to do where the first layer after tables grows, as if the model multiplied its embeddings by sqrt(width)."""
    if not found or "grows" not in found[0].what or not tables:
        return ""
    order = list(dict.fromkeys(slopes[slopes["leaf"]].sort_values("order")["layer"]))
    before = set(order[: order.index(found[0].layer)])
    if found[0].layer in tables or not before or not before <= tables:
        return ""
    table = min(before, key=order.index)
    return (
        f"; if your model multiplies its embeddings by sqrt(width) itself, say so where you build it: "
        f"model.{table}.embed_scale = width**0.5"
    )


__all__ = ["CoordCheck", "Finding", "Recorder", "coord_check"]
