"""Does the expert of one task, found by likeness, beat one model trained on all tasks?   arXiv 2302.03202

    holdfast run expert_lms --scale demo     about three minutes of one core
    holdfast run expert_lms --scale small    last measured: ledger/expert_lms/small.json

The unit of chance is a world of tasks: each replicate draws word lists, frames, option words, which tasks are held out
and which one has its labels turned. The base is a frozen sentence encoder that compares a text with its options. All
adapters see as many rows a task: an expert 150 steps of 32, a multitask model nine times that. Learning rates are
chosen on pilot worlds, by unseen tasks of these, three for every arm that trains. No label of an unseen task is used
but for measuring, by the oracle, and by "one expert", which is the best for all of them in the mean: the abstract's
claim gets its best chance.

Cost: a replicate of all arms takes about 30 CPU seconds; seconds per replicate x 24 = 720.
"""

from __future__ import annotations

from typing import Any

from holdfast.experiment import All, Arm, Better, Differs, Exact, Experiment, Metric, NotTestable, NoWorse, Tuning
from holdfast.systems.expert_lms.experiment.arms import (
    OF_MANY,
    RATES,
    AtRandom,
    MeanOfAll,
    Multitask,
    OneForAll,
    Oracle,
    Polarity,
    Retrieved,
    Sizes,
    Untouched,
    trial,
)
from holdfast.systems.expert_lms.problems import PromptedTasks, TaskWorlds

# ------------------------------------------------------------------------------------------------------ declarations
ROE, MT, WIDE, ONE, ORACLE, RANDOM = "RoE", "multitask", "multitask, 9x width", "one expert", "oracle", "random expert"
BASE, CENTROID, TOP5, MEAN, SEQUENTIAL = "base", "centroid router", "RoE, top 5", "mean of experts", "one after another"
PERMUTED, OTHER, MERGED, BETTER = "RoE, store permuted", "RoE, other seeds", "two merged", "better of the two"
WORLDS, P3 = "task worlds", "P3"


def _arm(made: Any, about: str) -> Arm:
    return Arm(made, space={"lr": OF_MANY if isinstance(made, Multitask) else RATES}, about=about)


ARMS = {
    BASE: Arm(Untouched(), about="the encoder as it is"),
    ROE: _arm(Retrieved(), "the expert whose stored texts are nearest to 32 queries"),
    MT: _arm(Multitask(), "one adapter of an expert's size, nine times the steps"),
    WIDE: _arm(Multitask(width=9), "one adapter as large as all experts"),
    ONE: _arm(OneForAll(), "the expert that is best for all, by their labels: a bound"),
    CENTROID: _arm(Retrieved(vote="centroid"), "votes by the mean of what is stored"),
    TOP5: _arm(Retrieved(top_k=5), "each query votes by its five nearest"),
    RANDOM: _arm(AtRandom(), "any expert"),
    MEAN: _arm(MeanOfAll(), "all experts merged"),
    ORACLE: _arm(Oracle(), "best on the unseen task's own labels: a bound"),
    SEQUENTIAL: _arm(Multitask(one_by_one=True), "the multitask adapter, tasks one after the other"),
    MERGED: Arm(Polarity(), tuned_as=ROE, about="mean of the two polarity experts"),
    BETTER: Arm(Polarity(merged=False), tuned_as=ROE, about="the better of these two, by test labels"),
    PERMUTED: Arm(Retrieved(permuted=True), tuned_as=ROE, about="broken: stored texts belong to other experts"),
    OTHER: Arm(Retrieved(), tuned_as=ROE, reseed=1, about="control: the same worlds, other seeds"),
}
ON: dict[str, Any] = {"metric": "unseen accuracy", "on": WORLDS}
NEGATIVE_TRANSFER = Better(ORACLE, than=MT, margin=5, **ON)


def _headline(arm: str, **options: Any) -> All:
    return All(
        Better(arm, than=MT, margin=1, **ON), NoWorse(arm, than=WIDE, margin=3, **ON), requires=(NEGATIVE_TRANSFER,),
        **options,
    )  # fmt: skip


CLAIMS = (
    _headline(
        ROE, role="headline", scope="worlds of short English tasks, adapters on a sentence encoder",
        published="none; the paper says: retrieved experts do better than one model of all tasks",
        source="abstract",
        text="RoE is better than a multitask adapter by at least 1 and no worse than one of nine times the width by 3",
    ),
    NotTestable(
        "one expert of T5-3B beats T0-3B by 3.20 points on 11 unseen data sets and by 1.29 on 13 of BIG-bench",
        reason="a model of 3 billion weights, 36 data sets and the authors' experts, whose archive is gone",
    ),
    NoWorse(
        ONE, than=MT, margin=0.5, text="one expert for all unseen tasks is as good as the multitask adapter", **ON,
        published="+3.20 points", source="abstract",
    ),
    Better(ROE, than=BASE, margin=1, **ON),
    Better(ROE, than=RANDOM, margin=3, **ON),
    NoWorse(ROE, than=CENTROID, margin=1, **ON),
    Exact(
        ROE, 0, metric="changed answers", on=WORLDS, tol=0,
        text="a task that is added changes no answer of the other experts",
    ),
    Better(
        SEQUENTIAL, than=10, metric="forgetting", on=WORLDS,
        text="one adapter that learns task after task forgets 10 points or more",
    ),
    NoWorse(MERGED, than=BETTER, margin=3, metric="polarity accuracy", on=WORLDS),
    _headline(PERMUTED, role="control", expect="not found", text="the same with stored texts permuted"),
    Differs(ROE, OTHER, role="control", expect="not found", **ON),
    Better(ORACLE, than=RANDOM, margin=5, role="control", expect="found", **ON),
)  # fmt: skip

experiment = Experiment(
    question="Does the expert of one task, found by likeness, beat one model trained on all tasks?",
    problems={WORLDS: TaskWorlds(), P3: PromptedTasks()},
    arms=ARMS,
    metrics={
        "unseen accuracy": Metric("%", about="mean over tasks that nothing was trained on"),
        "seen accuracy": Metric("%", about="mean over training tasks, the expert known by name"),
        "polarity accuracy": Metric("%", about="mean over unseen polarity tasks"),
        "own expert found": Metric("%", about="training tasks whose test rows lead to their own expert"),
        "family found": Metric("%", about="unseen tasks that get an expert of their family"),
        "changed answers": Metric(higher_is_better=False, about="of other tasks, by a task that is added"),
        "forgetting": Metric("points", about="accuracy lost between a task's end of training and the last one's"),
    },
    scales={
        "smoke": Sizes(
            train=12, test=8, stored=6, queries=4, steps=4, replicates=1, problems=(WORLDS,),
            arms=(BASE, ROE, MT, SEQUENTIAL),
        ),
        "demo": Sizes(problems=(WORLDS,), arms=(ROE, MT, WIDE, ONE, BASE, RANDOM, ORACLE, PERMUTED)),
        "small": Sizes(problems=(WORLDS,)),
        "full": Sizes(problems=(P3,), status="not yet run: needs P3's files; see the page"),
    },
    claims=CLAIMS,
    trial=trial,
    tuning=Tuning("unseen accuracy", problem=WORLDS, configurations=3, pilots=3),
    benefit="unseen accuracy",
)  # fmt: skip

__all__ = ["experiment", "trial"]
