"""Exact predictors against one written as the reference's are: a copy of the whole state for every prediction.

    python benchmarks/nonstationary_meta.py [--repeats 7] [--threads 2] [--figure FILE]

Every repetition runs all pieces of work, and the best time of each counts, so that a busy machine hurts all alike. With
`--figure` the time per symbol is measured along sequences of up to 2^20 symbols, and memory against the batch. The last
lines say what was aimed at and what was reached.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from holdfast.systems.nonstationary_meta import LIN, PTW, DecayedKT, lin_log_probs, ptw_log_probs
from holdfast.systems.nonstationary_meta.tool import batched

ROWS, LENGTH, DEPTH = 4096, 256, 8
Work = Callable[[], object]


class CopyingPTW:
    """PTW on log-marginals in numpy, as the reference does it: to predict, it copies all and updates the copy."""

    def __init__(self, depth: int) -> None:
        self.depth, self.t = depth, 0
        self.counts = [np.zeros(2) for _ in range(depth + 1)]
        self.log_kt = np.zeros(depth + 1)
        self.finished, self.weighted = np.zeros(depth + 1), np.zeros(depth + 2)

    def update(self, symbol: int) -> None:
        i = 0 if self.t == 0 else self.depth - (self.t ^ (self.t - 1)).bit_length()
        self.finished[i] = self.weighted[i + 1]
        self.finished[i + 1 :] = self.weighted[i + 1 :] = 0.0
        for j in range(i + 1, self.depth + 1):
            self.counts[j], self.log_kt[j] = np.zeros(2), 0.0
        for j, counts in enumerate(self.counts):
            self.log_kt[j] += np.log((counts[symbol] + 0.5) / (counts.sum() + 1.0))
            counts[symbol] += 1
        self.weighted[self.depth] = self.log_kt[self.depth]
        for j in range(self.depth - 1, -1, -1):
            cut = self.weighted[j + 1] + self.finished[j]
            self.weighted[j] = np.logaddexp(np.log(0.5) + self.log_kt[j], np.log(0.5) + cut)
        self.t += 1

    def log_prob(self) -> np.ndarray:
        after = copy.deepcopy(self)
        after.update(0)
        zero = after.weighted[0] - self.weighted[0]
        return np.array([zero, np.log1p(-np.exp(zero))])


def best(works: dict[str, Work], repeats: int) -> dict[str, float]:
    """Shortest time in seconds of each piece of work, after one round to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for repeat in range(repeats + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if repeat:
                seconds[name].append(time.perf_counter() - start)
    return {name: min(values) for name, values in seconds.items()}


def changing(length: int, rng: np.random.Generator, every: int = 200) -> np.ndarray:
    """A sequence with a new probability every 200 symbols."""
    theta = np.repeat(rng.beta(0.5, 0.5, -(-length // every)), every)[:length]
    return (rng.random(length) < theta).astype(np.int64)


def one_by_one(stream: object, x: np.ndarray) -> None:
    for symbol in x.tolist():
        stream.log_prob()
        stream.update(symbol)


def uncompiled(work: Work) -> Work:
    """The work as it is done where numba is not installed."""

    def run() -> None:
        kept, batched.compiled = batched.compiled, lambda: None
        try:
            work()
        finally:
            batched.compiled = kept

    return run


def at_threads(threads: int, work: Work) -> Work:
    def run() -> None:
        torch.set_num_threads(threads)
        work()
        torch.set_num_threads(1)

    return run


# ---------------------------------------------------------------------------------------------------- tables
def batches(repeats: int, threads: int) -> list[str]:
    """Symbols per second of PTW on 4,096 sequences of 256 bits; what it says of the targets."""
    rng = np.random.default_rng(0)
    x = np.stack([changing(LENGTH, rng) for _ in range(ROWS)])
    few = x[:512]
    works: dict[str, tuple[Work, int]] = {
        "copying numpy predictor, 1 sequence": (lambda: one_by_one(CopyingPTW(DEPTH), x[0]), LENGTH),
        "PTW stream, one by one": (lambda: one_by_one(PTW(DEPTH), x[0]), LENGTH),
        "PTW stream, extend": (lambda: PTW(DEPTH).extend(x[0]), LENGTH),
        "ptw_log_probs, 1 thread": (at_threads(1, lambda: ptw_log_probs(x)), x.size),
        f"ptw_log_probs, {threads} threads": (at_threads(threads, lambda: ptw_log_probs(x)), x.size),
        "  with all predictions, 1 thread": (lambda: ptw_log_probs(x, return_predictive=True), x.size),
        "  without numba, 1 thread": (uncompiled(lambda: ptw_log_probs(few)), few.size),
        "lin_log_probs, 1 thread": (lambda: lin_log_probs(few), few.size),
    }
    seconds = best({name: work for name, (work, _) in works.items()}, repeats)
    rate = {name: symbols / seconds[name] for name, (_, symbols) in works.items()}
    peer = next(iter(rate.values()))
    print(f"PTW and LIN on {ROWS:,} sequences of {LENGTH} bits; symbols per second, ratio to the copying predictor")
    for name, value in rate.items():
        print(f"  {name:<38} {value:>13,.0f} {value / peer:>10,.1f}")
    reached = rate[f"ptw_log_probs, {threads} threads"]
    return [
        f"batched PTW, {threads} threads: {reached / peer:,.0f} times the copying predictor (target 100)",
        f"batched PTW, {threads} threads: {reached / 1e6:,.1f} million symbols a second (target 10)",
    ]


def pruning(repeats: int) -> list[str]:
    """LIN with and without pruning: time, starts kept, and what it costs; how its time grows with the length."""
    rng = np.random.default_rng(1)
    print("LIN on one sequence; microseconds per symbol (extend), starts kept, bits more than exact LIN")
    total: dict[tuple[str, str], float] = {}
    for name, x in {
        "change every 200, 5,000": changing(5_000, rng),
        "change every 200, 20,000": changing(20_000, rng),
        "no change, 5,000": changing(5_000, rng, 5_000),
        "no change, 20,000": changing(20_000, rng, 20_000),
    }.items():
        kept: dict[float | None, LIN] = {}

        def run(prune: float | None, x: np.ndarray = x, kept: dict[float | None, LIN] = kept) -> None:
            kept[prune] = LIN(prune=prune)
            kept[prune].extend(x)

        works = {str(p): lambda p=p: run(p) for p in (None, 30.0, 14.0)}
        seconds = best(works, max(1, repeats // 3))
        total |= {(name, prune): value for prune, value in seconds.items()}
        for prune, stream in kept.items():
            more = (kept[None].log_marginal - stream.log_marginal) / np.log(2)
            time_each = 1e6 * seconds[str(prune)] / len(x)
            print(f"  {name:<26} prune={prune!s:<5} {time_each:>9.2f} {stream.records:>8,} {more:>12.2e}")
    pruned, exact = (
        np.log2(total["change every 200, 20,000", prune] / total["change every 200, 5,000", prune]) / 2
        for prune in ("30.0", "None")
    )
    return [f"LIN, changes every 200: time grows as length^{pruned:.2f} (target about 1; unpruned ^{exact:.2f})"]


def memory(rows: int = ROWS) -> list[str]:
    """What ptw_log_probs needs beyond its result, and what B streams keep."""
    state = PTW(20)
    state.extend(np.zeros(1 << 20, np.int64))
    kept = sum(array.nbytes for array in state.state_dict().values())
    return [
        f"ptw_log_probs of {rows:,} sequences: {extra_memory(rows):.1f} MiB beyond the result (target O(B log T))",
        f"one stream after 2^20 symbols: a state of {kept:,} bytes, {kept / 21:.0f} for each level of its tree",
    ]


# --------------------------------------------------------------------------------------------------------------- figure
def along(stream: object, x: np.ndarray, marks: list[int], run: Callable[[object, np.ndarray], object]) -> list[float]:
    """Microseconds of processor time per symbol at each mark: the best of five stretches of 512 symbols there."""
    times, at = [], 0
    for mark in marks:
        stream.extend(x[at:mark])  # not measured
        stretches = []
        for i in range(5):
            part = x[mark + 512 * i : mark + 512 * (i + 1)]
            start = time.process_time()
            run(stream, part)
            stretches.append(1e6 * (time.process_time() - start) / len(part))
        at = mark + 512 * 5
        times.append(min(stretches))
    return times


def extra_memory(rows: int) -> float:
    """Peak MiB during ptw_log_probs on top of what was there, less the result's own size (Linux)."""
    x = np.zeros((rows, LENGTH), np.int64)
    ptw_log_probs(x[:256])
    Path("/proc/self/clear_refs").write_text("5")  # forget the highest mark so far
    before = _status("VmRSS")
    result = ptw_log_probs(x)
    return max(_status("VmHWM") - before - result.nbytes / 2**20, 0.0)


def _status(name: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def draw(path: Path) -> None:
    """Time per symbol against t for several streams, and memory against the batch."""
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    from holdfast.files import write_text
    from holdfast.report.svg import THEMED, to_svg

    rng = np.random.default_rng(2)
    x = changing((1 << 20) + 4096, rng)
    still = (rng.random(len(x)) < 0.3).astype(np.int64)
    marks = [1 << k for k in range(12, 21)]
    extend = lambda stream, part: stream.extend(part)  # noqa: E731
    lines = {
        "PTW, one by one": along(PTW(), x, marks, one_by_one),
        "PTW, extend": along(PTW(), x, marks, extend),
        "LIN, change every 200 symbols": along(LIN(), x, marks, extend),
        "LIN, no change, limit 4,096": along(LIN(limit=4096), still, marks, extend),
        "LIN, no change": along(LIN(), still, marks[:5], extend),
        "decayed KT, one by one": along(DecayedKT(), x, marks, one_by_one),
    }
    sizes = [1 << k for k in range(8, 15)]
    memory = [extra_memory(rows) for rows in sizes]
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, values in lines.items():
        left.plot(marks[: len(values)], values, "o-", markersize=3, label=name)
        print(f"  {name:<32} " + " ".join(f"{v:8.3f}" for v in values))
    left.set(xscale="log", yscale="log", xlabel="symbols seen", ylabel="microseconds per symbol", ylim=(0.02, None))
    left.set_xscale("log", base=2)
    left.legend(frameon=False, fontsize=7, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1))
    right.plot(sizes, memory, "o-", markersize=3, label="ptw_log_probs beyond its result")
    right.plot(sizes, [rows * LENGTH * 8 / 2**20 for rows in sizes], "--", color="#6b7280", label="the result itself")
    right.set(xlabel=f"sequences of {LENGTH} bits", ylabel="MiB", ylim=(-1, None))
    right.set_xscale("log", base=2)
    right.legend(frameon=False, fontsize=7, loc="lower center", bbox_to_anchor=(0.5, 1))
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    print("  memory beyond the result, MiB     " + " ".join(f"{m:8.2f}" for m in memory))
    for axes in (left, right):  # the colours of whoever reads it, light or dark
        axes.spines[["bottom", "left"]].set_color(THEMED.muted)
        axes.tick_params(which="both", colors=THEMED.muted)
    for text in figure.findobj(Text):
        text.set_color(THEMED.ink)
    alt = "Processor time per symbol over the symbols seen, and memory over the number of sequences"
    write_text(path, to_svg(figure, "speed", alt, {}, standalone=True) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--figure", type=Path, help="also measure along long sequences and draw this figure")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    reached = [*batches(arguments.repeats, arguments.threads), *pruning(arguments.repeats), *memory()]
    if arguments.figure is not None:
        print("microseconds per symbol after 2^12 ... 2^20 symbols")
        draw(arguments.figure)
    print("Targets")
    for line in reached:
        print(f"  {line}")


if __name__ == "__main__":
    main()
