"""Do networks with memory, trained on sampled sources alone, become Bayes mixtures?   arXiv 2302.03067

    holdfast run nonstationary_meta --scale demo     about 2 minutes on 2 cores
    holdfast run nonstationary_meta --scale small    about 20 minutes on 2 cores; last measured: see the ledger

All networks see equally many sequences, in the same batches, with Adam and a learning rate that is tuned equally; the
counting baselines are tuned as much. A replicate has its own weights, training sequences and test sequences; within it
all arms are tested on the same sequences, and a network that several problems need is trained once. Regret is
expected over the symbol given the true source, so that no luck with symbols enters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from holdfast.experiment import (
    FIRST_FINAL_REPLICATE,
    Arm,
    Artifact,
    Curve,
    Experiment,
    Measurement,
    Metric,
    PerUnit,
    Problem,
    Scalar,
    Scale,
    Tuning,
)
from holdfast.experiment.run import Run
from holdfast.layers.sequence import (
    ALiBi,
    Chunks,
    Network,
    Recurrent,
    Relative,
    SinCos,
    SlidingWindow,
    StackRNN,
    Transformer,
    WindowMLP,
)
from holdfast.systems.nonstationary_meta.claims import CLAIMS
from holdfast.systems.nonstationary_meta.evaluation import Judged, draw_sequences, train_network, with_weights
from holdfast.systems.nonstationary_meta.figure import draw_imitation
from holdfast.systems.nonstationary_meta.meta import SourcePrior, cosine_to_zero
from holdfast.systems.nonstationary_meta.network_probs import network_log_probs
from holdfast.systems.nonstationary_meta.predictor import (
    DecayedKTPredictor,
    KTPredictor,
    LINPredictor,
    PTWPredictor,
    WindowKTPredictor,
)
from holdfast.systems.nonstationary_meta.series import EttSeries, PackagedSeries, Series, code_lengths, per_case


# --------------------------------------------------------------------------------------------------------- problems
@dataclass(frozen=True)
class Sampled(Problem):
    """Sequences of a source, predicted by networks that were trained on the same or on another one.

    Attributes:
        trained: prior that networks were trained on, "ptw" or "lin".
        tested: prior that the test sequences come from; its Bayes mixture is the optimum.
        longer: length of the test sequences, in lengths of the training sequences.
    """

    trained: str = "ptw"
    tested: str = "ptw"
    longer: int = 1
    source: ClassVar[Literal["generated"]] = "generated"

    def describe(self) -> str:
        times = f", {self.longer} times as long as in training" if self.longer > 1 else ""
        return f"sequences of the {self.tested.upper()} prior{times}; networks trained on {self.trained.upper()}"


OWN_PRIOR = ("ptw", "lin")
TRANSFER = ("ptw->lin", "lin->ptw")
LONGER = ("ptw, 2x length", "ptw, 4x length")
SERIES = ("sunspots", "elnino", "co2", "etth1")
PROBLEMS: dict[str, Problem] = {
    "ptw": Sampled(),
    "lin": Sampled("lin", "lin"),
    "ptw->lin": Sampled("ptw", "lin"),
    "lin->ptw": Sampled("lin", "ptw"),
    "ptw, 2x length": Sampled(longer=2),
    "ptw, 4x length": Sampled(longer=4),
    # Blocks span two sunspot cycles, four years, two years and two weeks.
    "sunspots": PackagedSeries("sunspots", unit=1, block=22),
    "elnino": PackagedSeries("elnino", unit=12, block=4),
    "co2": PackagedSeries("co2", unit=13, block=8),
    "etth1": EttSeries(unit=24, block=14),
}
FROM_PTW = ("ptw", "ptw->lin", *LONGER, *SERIES)  # all that a network trained on PTW alone can do


# ------------------------------------------------------------------------------------------------------------- arms
@dataclass(frozen=True)
class Exact:
    """An arm that computes its predictions.

    Attributes:
        predictor: what `holdfast.systems.nonstationary_meta.predictor` has.
    """

    predictor: Any

    def log_probs(self, run: Run[Any, Any, Budget], x: np.ndarray) -> np.ndarray:
        """`(B, T, 2)` on sequences `(B, T)`."""
        return np.asarray(self.predictor.log_probs(x))


@dataclass(frozen=True)
class Trained:
    """An arm that learns to predict.

    Attributes:
        network: settings of the network.
        lr: of Adam.
        windowed: on real series, predict each symbol from a window as long as the training sequences, as the network is
            of no use beyond them; recurrent networks read the whole series.
    """

    network: Network
    lr: float = 3e-3
    windowed: bool = False

    def log_probs(self, run: Run[Any, Any, Budget], x: np.ndarray) -> np.ndarray:
        """`(B, T, 2)` on sequences `(B, T)`, by the network of this replicate; trained if it has not been yet."""
        scale = run.scale
        network = self.network if scale.width is None else self.network.sized(scale.width, scale.layers)
        weights = run.stage(
            f"{run.arm_name} trained",
            train_network,
            network=network,
            prior=SourcePrior(getattr(run.problem, "trained", "ptw"), scale.length),
            steps=scale.steps,
            batch=scale.batch,
            lr=self.lr if scale.lr is None else scale.lr,
            schedule=scale.schedule,
            seed=run.seed("init"),
            device=run.device,
        )
        context = scale.length if self.windowed and isinstance(run.problem, Series) else None
        return np.asarray(network_log_probs(with_weights(network, weights, run.device), x, context=context))


RATES: Mapping[str, Sequence[Any]] = {"lr": (1e-3, 3e-3, 1e-2, 3e-2)}


def _network(network: Network, about: str, problems: tuple[str, ...] = FROM_PTW, windowed: bool = False) -> Arm:
    return Arm(Trained(network, windowed=windowed), space=RATES, problems=problems, about=about)


def _transformer(about: str, **parts: Any) -> Arm:
    network = Transformer(width=32, layers=2, heads=4, **parts)
    return _network(network, f"transformer, 2 layers of 32, {about}", windowed=True)


ARMS = {
    "static KT": Arm(Exact(KTPredictor()), about="counts of all symbols: the optimum if nothing ever changed"),
    "decayed KT": Arm(
        Exact(DecayedKTPredictor(0.9)),
        space={"predictor": tuple(DecayedKTPredictor(decay) for decay in (0.7, 0.8, 0.9, 0.95))},
        about="counts that are multiplied by a tuned factor with every symbol",
    ),
    "window KT": Arm(
        Exact(WindowKTPredictor(8)),
        space={"predictor": tuple(WindowKTPredictor(window) for window in (4, 6, 8, 16))},
        about="counts of the last few symbols, how many is tuned",
    ),
    "PTW": Arm(Exact(PTWPredictor()), about="exact mixture: the optimum on PTW"),
    "LIN": Arm(Exact(LINPredictor()), about="exact mixture: the optimum on LIN"),
    "LSTM": _network(Recurrent("lstm"), "64 units", (*FROM_PTW, "lin", "lin->ptw")),
    "GRU": _network(Recurrent("gru"), "64 units"),
    "RNN": _network(Recurrent("rnn"), "vanilla, 64 units"),
    "Stack-RNN": _network(StackRNN(), "vanilla RNN, 64 units, one stack of 16 cells of 8 numbers"),
    "transformer, sin/cos": _transformer("sinusoids", positions=SinCos()),
    "transformer, ALiBi": _transformer("ALiBi", positions=ALiBi()),
    "transformer, relative": _transformer("relative positions", positions=Relative()),
    "transformer, window": _transformer("ALiBi, sliding window of 8", context=SlidingWindow(8)),
    "transformer, chunks": _transformer("ALiBi, disjoint chunks of 8", context=Chunks(8)),
    "MLP window": _network(WindowMLP(), "perceptron on the last 5 symbols: no memory beyond", (*FROM_PTW, "lin")),
    "LSTM, other seeds": Arm(
        Trained(Recurrent("lstm")),
        tuned_as="LSTM",
        problems=("ptw",),
        reseed=1,
        about="control: the same on the same test sequences, other weights and training sequences",
    ),
}
COSTLY = ("transformer, relative", "transformer, window", "transformer, chunks")
QUICK = tuple(arm for arm in ARMS if arm not in COSTLY)


# --------------------------------------------------------------------------------------------------------- one trial
@dataclass(frozen=True)
class Budget(Scale):
    """Training and testing.

    Attributes:
        steps, batch, length: optimiser steps, sequences per step, symbols per training sequence.
        sequences: test sequences, and as many again for tuning.
        schedule: of the learning rate.
        lr: the learning rate of all networks, in place of the tuned ones; None = tuned.
        width, layers: of all networks; None = as the arms have them.
    """

    steps: int = 1500
    batch: int = 32
    length: int = 32
    sequences: int = 2000
    schedule: Callable[[float], float] | None = field(default=cosine_to_zero)
    lr: float | None = None
    width: int | None = None
    layers: int = 1


def trial(run: Run[Any, Sampled | Series, Budget]) -> Iterator[Measurement]:
    """Predict sampled sequences, or a real series."""
    if isinstance(run.problem, Series):
        yield from _on_series(run, run.problem)
    else:
        yield from _on_samples(run)


def _on_samples(run: Run[Any, Any, Budget]) -> Iterator[Measurement]:
    problem: Sampled = run.problem
    judged = _judge(run, problem, "split: test")
    total, excess = judged.regret(), judged.excess()
    at = np.arange(1, len(total) + 1)
    yield Scalar("regret", total[-1])
    yield Scalar("regret above the optimum", excess[-1])
    yield Scalar("imitation error", judged.imitation_error())
    yield Scalar("log-odds correlation", judged.log_odds_correlation())
    yield Curve("cumulative regret, nats", at, total, "symbol")  # type: ignore[arg-type]
    yield Curve("cumulative regret above the optimum, nats", at, excess, "symbol")  # type: ignore[arg-type]
    if problem.trained != problem.tested:
        yield Scalar("leaning to its own prior", judged.leaning())
    if run.problem_name == "ptw":
        yield Scalar("validation regret", _judge(run, problem, "split: validation").regret()[-1])
        if run.arm_name == "LSTM" and run.replicate == FIRST_FINAL_REPLICATE:
            caption = draw_imitation(run.dir / "imitation.png", judged, _sequences(run, problem, "split: test")["x"])
            yield Artifact("imitation", "imitation.png", "image", caption)


def _sequences(run: Run[Any, Any, Budget], problem: Sampled, stream: str) -> dict[str, np.ndarray]:
    scale = run.scale
    length = problem.longer * scale.length
    return run.stage(
        "sequences", draw_sequences, kind=problem.tested, length=length, rows=scale.sequences, seed=run.seed(stream)
    )


def _judge(run: Run, problem: Sampled, stream: str) -> Judged:
    drawn = _sequences(run, problem, stream)
    log_probs = run.arm.log_probs(run, drawn["x"])
    return Judged(log_probs, drawn[problem.tested], drawn[problem.trained], drawn["theta"])


def _on_series(run: Run, problem: Series) -> Iterator[Measurement]:
    x = problem.bits()
    cases = per_case(code_lengths(run.arm.log_probs(run, x[None])[0], x), problem.unit)
    yield Scalar("bits per symbol", float(cases.mean()))
    yield PerUnit("bits per symbol", cases.round(7).tolist(), range(len(cases)))


experiment = Experiment(
    question="Do networks with memory, trained on sampled sources alone, become Bayes mixtures?",
    problems=PROBLEMS,
    arms=ARMS,
    metrics={
        "regret": Metric("nats", higher_is_better=False, about="expected, cumulative, per sequence"),
        "regret above the optimum": Metric(
            "nats", higher_is_better=False, about="above that of the prior's Bayes mixture on the same sequences"
        ),
        "imitation error": Metric("", higher_is_better=False, about="mean |p - p of the optimum|"),
        "log-odds correlation": Metric("", about="with the optimum, over all predictions"),
        "leaning to its own prior": Metric(
            "", about="mean |p - p of the data's mixture| minus mean |p - p of the training prior's mixture|"
        ),
        "validation regret": Metric("nats", higher_is_better=False, about="on sequences set aside for tuning"),
        "bits per symbol": Metric("bits", higher_is_better=False, about="1 is what tossing a coin needs"),
    },
    scales={
        "smoke": Budget(
            steps=2,
            batch=4,
            length=8,
            sequences=16,
            replicates=1,
            arms=("static KT", "decayed KT", "PTW", "LIN", "LSTM", "transformer, sin/cos"),
            problems=("ptw", "ptw->lin", "ptw, 2x length", "sunspots"),
        ),
        "demo": Budget(arms=("static KT", "decayed KT", "PTW", "LSTM", "MLP window"), problems=("ptw",)),
        "small": Budget(arms=QUICK),
        "full": Budget(
            steps=100_000,
            batch=128,
            length=256,
            sequences=10_000,
            schedule=None,
            lr=1e-4,
            width=256,
            layers=5,
            slow=True,
            status="not yet run",
        ),
    },
    claims=CLAIMS,
    trial=trial,
    tuning=Tuning(metric="validation regret", problem="ptw", configurations=4, pilots=2),
    benefit="regret",
)
