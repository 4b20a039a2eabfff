"""What the verbs do: measure a trained network on rows, and search the largest stable rate of one on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.data.own_rows import Rows
from holdfast.devices import torch_threads
from holdfast.errors import InputError
from holdfast.layers.outputs import activation_layers
from holdfast.metrics.landscape.jacobian import jacobian_rank
from holdfast.own_model import called
from holdfast.systems.large_step_sgd.method.schedule import Hold
from holdfast.systems.large_step_sgd.tool.monitor import layers_sparsity
from holdfast.training.plain_sgd import train_sgd
from holdfast.training.stable_rate import StableRate, ends, find_max_stable_lr
from holdfast.validation import check_integer, check_positive

EXACT = 2**27  # numbers of a Jacobian that is written out; larger ones are sketched
NEAR = 0.8  # of the largest stable rate, as a recommendation: on pilots units died later at rates nearer to it
Show = Callable[[str, int, int | None], None] | None


def measure(
    net: nn.Module,
    x: Tensor,
    layers: Sequence[str],
    *,
    rows: int = 2000,
    threshold: float = 0.95,
    max_units: int = 1000,
    rank_rows: int = 50,
    show: Show = None,
) -> dict[str, Any]:
    """Sparsity of layers on rows drawn of x (N, ...), and the rank of the Jacobian on some of them.

    Args:
        net: measured in evaluation mode.
        x: all rows.
        layers: names of modules; empty = all activation functions.
        rows: rows that are measured, drawn where there are more.
        threshold: correlation above which units are duplicates.
        max_units: units of a layer that are compared, drawn where it has more.
        rank_rows: rows that the Jacobian's rank is measured on.
        show: called with (what is done, done, total).

    Raises:
        InputError: no layer to measure, one that does not exist, outputs that are not finite.
    """
    check_integer(rows, "rows", low=2)
    check_integer(rank_rows, "rank_rows", low=1)
    names = list(layers) or activation_layers(net)
    if not names:
        known = [name for name, module in net.named_modules() if name and not list(module.children())]
        raise InputError("layer", f"must name layers, as no module is an activation function; of {known}", "none")
    x = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:rows]]  # files are often sorted by label

    def batches() -> Iterator[Tensor]:
        for start in range(0, len(x), 256):
            yield x[start : start + 256]
            if show is not None:
                show("Rows", min(start + 256, len(x)), len(x))

    def forward() -> Any:
        return layers_sparsity(net, names, batches(), threshold, max_units)

    with torch_threads(1):
        found = called(forward, argument="--model")
        some = x[:rank_rows]
        outputs, size = len(some) * net(x[:1]).numel(), sum(p.numel() for p in net.parameters())
        how: Literal["exact", "sketch"] = "exact" if outputs * size <= EXACT else "sketch"
        rank = jacobian_rank(net, some, method=how).rank
    return {
        "rows": len(x),
        "layers": [
            {
                "layer": name,
                "units": units,
                "compared": report.units,
                "dead": report.n_dead,
                "duplicates": report.n_duplicates,
                "distinct": len(report.kept_indices),
                "active %": 100 * report.raw,
                "sparsity %": 100 * report.dedup,
            }
            for name, (units, report) in found.items()
        ],
        "jacobian": {"rank": rank, "outputs": outputs, "parameters": size, "rows": len(some), "method": how},
    }


def search(
    build: Callable[[int], nn.Module],
    rows: Rows,
    *,
    batch: int = 32,
    steps: int = 200,
    lo: float = 1e-3,
    hi: float = 10.0,
    evaluations: int = 8,
    seed: int = 0,
    device: str = "cpu",
    show: Show = None,
) -> StableRate:
    """The largest rate at which plain SGD on cross-entropy is stable, after a linear warm-up of 30 % of the steps.

    Args:
        build: seed -> a fresh network.
        rows: those to train on are used.
        batch: rows per step.
        steps: of every run.
        lo: a rate that is stable; the search begins at the first of lo, 10 lo, 100 lo ... that halves the loss.
        hi: one that is not.
        evaluations: runs between the two.
        seed: of initialisation and order.
        device: "cpu", "cuda", "cuda:1", ...
        show: called with (what is done, done, total).
    """
    for name, value, low in (("batch", batch, 1), ("steps", steps, 2), ("seed", seed, 0)):
        check_integer(value, name, low=low)
    check_positive(lo, "lo")
    ramp, runs = Hold(1.0, (), (), ramp=0.3), dict[float, np.ndarray]()

    def run(rate: float, n: int) -> np.ndarray:
        def training() -> np.ndarray:
            return train_sgd(
                build(seed), rows.x, rows.y, rate, n,
                schedule=lambda progress: float(ramp(progress)), batch=batch, seed=seed, device=device,
            )  # fmt: skip

        if rate not in runs:
            runs[rate] = called(training, argument="--model")
            if show is not None:
                show("Runs", len(runs), max(len(runs), evaluations + 2))
        return runs[rate]

    def left(rate: float) -> float:
        first, last = ends(run(rate, steps))
        return last / first

    with torch_threads(1):
        while left(lo) > 0.5 and 10 * lo < hi and left(10 * lo) <= left(lo):
            lo *= 10
        found = find_max_stable_lr(run, lo, hi, steps, evaluations=evaluations)
    return StableRate(found.lr, found.unstable, tuple((rate, ends(runs[rate])[1]) for rate in sorted(runs)))


def recommended(rate: float) -> str:
    """Code for a schedule close to the edge."""
    return f"LargeStepSchedule(optimizer, peak={NEAR * rate:.3g}, warmup=1.05, hold_frac=0.5, total_steps=T)"


# ---------------------------------------------------------------------------------------------------------- the figures
def draw_layers(report: dict[str, Any]) -> Any:
    """What becomes of the units of every layer: dead, duplicates, distinct; and how sparse it is."""
    from matplotlib.figure import Figure

    layers = report["layers"]
    figure = Figure(figsize=(7, 1.4 + 0.45 * len(layers)), layout="constrained")
    axes = figure.subplots()
    names, base = [entry["layer"] for entry in layers], np.zeros(len(layers))
    for what, colour in (("distinct", "#0b6e4f"), ("duplicates", "#d9a441"), ("dead", "#999999")):
        width = np.array([100 * entry[what] / entry["compared"] for entry in layers])
        axes.barh(names, width, left=base, color=colour, label=what)
        base += width
    axes.plot([entry["sparsity %"] for entry in layers], names, "k|", markersize=14, label="sparsity coefficient")
    axes.invert_yaxis()
    axes.set(xlim=(0, 100), xlabel="% of the units compared", ylabel="layer")
    figure.legend(frameon=False, ncols=4, loc="outside upper center")
    return figure


def draw_search(found: StableRate) -> Any:
    """Loss at the end of every run by its rate, and between which two rates the edge is."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    rates, losses = np.array(found.tried).T
    ended = np.isfinite(losses)
    axes.plot(rates[ended], losses[ended], "o", color="#0b6e4f", label="a run")
    top = losses[ended].max()
    axes.plot(rates[~ended], np.full((~ended).sum(), top), "x", color="#b03a2e", label="diverged")
    axes.axvspan(found.lr, found.unstable, color="#d9a441", alpha=0.6, label="the edge")
    axes.axvline(NEAR * found.lr, color="black", linestyle=":", label=f"{NEAR:g} of it")
    axes.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="mean loss of the last tenth of the steps")
    figure.legend(frameon=False, ncols=4, loc="outside upper center")
    return figure


__all__ = ["draw_layers", "draw_search", "measure", "recommended", "search"]
