"""Is attention in linear time better for knowing a Fourier-learned bias of positions?   arXiv 2302.01925

    holdfast run flt --scale demo      about five minutes of one core
    holdfast run flt --scale small     last measured: ledger/flt/small.json

Every arm has the same network but for positions and attention: width 32, two heads, one layer of attention, a head that
reads [attention ; input]; positions are centred in every set. Adam, mean squared error, 16 new sets a step. All arms
choose among three learning rates by R2 on validation sets. M = 256 random features, drawn once per replicate, R = 16.

A replicate of all arms takes about 75 s of one core; times 24: 1,800 s at most, 700 s if the first look decides.
"""

from __future__ import annotations

from typing import Any

from holdfast.data.point_problems import own
from holdfast.data.text_problems import Characters, WikiText
from holdfast.experiment import All, Arm, Better, Differs, Experiment, Metric, Near, NotTestable, NoWorse, Slope, Tuning
from holdfast.experiment.claims import Log2, Region
from holdfast.metrics.determination import R2
from holdfast.systems.flt.experiment.trials import (
    Coordinates,
    FourierAndCoordinates,
    Neighbours,
    Nowhere,
    Permuted,
    Steps,
    Transformer,
    trial,
)
from holdfast.systems.flt.problems import KernelMeans, Molecules

CHARGES, LETTERS, WORDS, ATOMS = "charges", "characters", "WikiText-103", "OC20 IS2RE"
MOST = 256
LINEAR, WITH, FLT, EXACT = "linear", "linear + coordinates", "FLT", "FLT, exact scores"
RATES = {"lr": (3e-3, 1e-2, 2e-2)}
ONCE: dict[str, Any] = {"points": {"features": (MOST,)}}
ARMS = {
    LINEAR: Arm(Transformer(Nowhere()), space=RATES, **ONCE, about="linear attention without positions"),
    WITH: Arm(Transformer(Coordinates()), space=RATES, **ONCE, about="the same, centred coordinates as inputs"),
    FLT: Arm(Transformer(), space=RATES, about="the paper's method: no coordinates in the input"),
    "FLT + coordinates": Arm(Transformer(FourierAndCoordinates()), space=RATES, **ONCE, about="both"),
    EXACT: Arm(Transformer(exact=True), space=RATES, **ONCE, about="softmax with the same bias: a ceiling, in N^2"),
    "softmax + coordinates": Arm(Transformer(Coordinates(), exact=True), space=RATES, **ONCE, about="in N^2"),
    "neighbour means": Arm(
        Neighbours(), deterministic=True, problems=(CHARGES,), **ONCE, about="means of the k nearest, no network"
    ),
    "FLT, permuted": Arm(
        Transformer(Permuted()), tuned_as=FLT, problems=(CHARGES,), **ONCE, about="broken: each other's positions"
    ),
    "FLT, other seeds": Arm(
        Transformer(), tuned_as=FLT, reseed=1, problems=(CHARGES,), **ONCE, about="control: another initialisation"
    ),
}
ON: dict[str, Any] = {"metric": "R2", "on": CHARGES, "at": {"features": MOST}}


def _headline(arm: str, **role: Any) -> All:
    return All(Better(arm, than=LINEAR, margin=0.15, **ON), NoWorse(arm, than=WITH, margin=0.05, **ON), **role)


CLAIMS = (
    _headline(
        FLT,
        role="headline",
        scope="64 points in a cube, mean of charges under a Gaussian; one layer, M = 256, R = 16, 500 steps",
        published="none; the paper says: better than other linear attentions on text, images and molecules",
        source="abstract",
    ),
    Slope(FLT, against="features", target=Region.at_least(0), x=Log2(), metric="R2", on=CHARGES),
    Near(
        FLT, to=-0.5, margin=0.1, metric="error slope", on=CHARGES, at={"features": MOST},
        text="the error of N1 N2^T falls as R^-0.5, by .1",
        published="O(1 / eps^2) frequencies for an error of eps", source="theorem",
    ),
    Better(FLT, than=WITH, margin=0.1, metric="R2, larger cube", on=CHARGES, at={"features": MOST}),
    Better(
        EXACT, than=FLT, **ON, text="what FLT misses is FAVOR+'s estimate: with exact scores, the same bias does better"
    ),
    NoWorse(EXACT, than="softmax + coordinates", margin=0.05, **ON),
    Better("FLT + coordinates", than=WITH, **ON),
    Better(FLT, than="neighbour means", **ON),
    NotTestable(
        "FLT has the best perplexity of linear transformers on WikiText-103",
        reason="the text does not ship with the package, and a training takes days of a GPU",
    ),
    NotTestable(
        "FLT is better than Performers on OC20's molecules with fewer layers",
        reason="the data are pickles in LMDB that the user has to convert, and a training takes days of a GPU",
    ),
    _headline("FLT, permuted", role="control", expect="not found"),
    Better(WITH, than=LINEAR, margin=0.15, role="control", expect="found", **ON),
    Differs(FLT, "FLT, other seeds", role="control", expect="not found", **ON),
)  # fmt: skip

experiment = Experiment(
    question="Is attention in linear time better for knowing a Fourier-learned bias of positions?",
    problems={CHARGES: KernelMeans(), LETTERS: Characters(), WORDS: WikiText(), ATOMS: Molecules()},
    arms=ARMS,
    metrics={
        "R2": R2(about="over the points of 100 sets that are in no other part"),
        "validation R2": R2(about="on sets for the choice of the learning rate"),
        "R2, larger cube": R2(about="of sets in a cube with sides 1.5 times as long, the same kernel"),
        "error slope": Metric(about="log-log slope in R of the error of N1 N2^T, for the g that was learned"),
        "strength": Metric(higher_is_better=False, about="|N1|^2: the larger, the noisier FAVOR+"),
        "perplexity": Metric(higher_is_better=False, about="of the test text, words"),
        "validation perplexity": Metric(higher_is_better=False, about="of the validation text, words"),
    },
    scales={
        "smoke": Steps(
            steps=3, batch=4, held=3, replicates=1, problems=(CHARGES, LETTERS), points={"features": (64, MOST)},
            arms=(LINEAR, WITH, FLT), layers=1, width=16,
        ),
        "pilot": Steps(steps=160, replicates=2, problems=(CHARGES,), points={"features": (MOST,)}),
        "demo": Steps(
            arms=(LINEAR, WITH, FLT, "FLT, permuted"), problems=(CHARGES,), points={"features": (64, MOST)}
        ),
        "small": Steps(problems=(CHARGES,)),
        "full": Steps(
            steps=100_000, batch=32, arms=(LINEAR, WITH, FLT), problems=(WORDS, ATOMS), points={"features": (MOST,)},
            slow=True, status="not yet run",
        ),
    },
    claims=CLAIMS,
    trial=trial,
    points={"features": (64, 128, MOST)},
    tuning=Tuning("validation R2", problem=CHARGES, configurations=3, pilots=2, scale="pilot"),
    own=own,
    roles=("set", "pos", "target"),
    benefit="R2",
)  # fmt: skip
