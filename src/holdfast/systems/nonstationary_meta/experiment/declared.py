"""Do networks with memory, trained on sampled sources alone, become Bayes mixtures?   arXiv 2302.03067

    holdfast run nonstationary_meta --scale demo     about 2 minutes on 2 cores
    holdfast run nonstationary_meta --scale small    about 20 minutes on 2 cores; last measured: see the ledger

All networks see equally many sequences, in the same batches, with Adam and a learning rate that is tuned equally; the
counting baselines are tuned as much. A replicate has its own weights, training sequences and test sequences; within it
all arms are tested on the same sequences, and a network that several problems need is trained once. Regret is
expected over the symbol given the true source, so that no luck with symbols enters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from holdfast.experiment import (
    FIRST_FINAL_REPLICATE,
    Artifact,
    Curve,
    Experiment,
    Measurement,
    Metric,
    PerUnit,
    Run,
    Scalar,
    Tuning,
)
from holdfast.metrics.code_lengths import code_lengths, per_case
from holdfast.systems.nonstationary_meta.experiment.arms import ARMS, QUICK, Budget
from holdfast.systems.nonstationary_meta.experiment.claims import CLAIMS
from holdfast.systems.nonstationary_meta.experiment.imitation_figure import draw_imitation
from holdfast.systems.nonstationary_meta.experiment.judged import Judged, draw_sequences
from holdfast.systems.nonstationary_meta.problems import PROBLEMS, Sampled, Series


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
            arms=("static KT", "decayed KT", "PTW", "LSTM", "transformer, sin/cos"),
            problems=("ptw", "ptw->lin", "sunspots"),
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
