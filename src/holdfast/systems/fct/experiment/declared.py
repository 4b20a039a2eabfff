"""Can a gallery of old embeddings serve a new model without being embedded again?   arXiv 2112.02805, 2303.04766

    holdfast run fct --scale demo      about 2 minutes on 2 cores
    holdfast run fct --scale small     about 15 minutes on 2 cores; last measured: ledger/fct/small.json

Encoders are trained once per replicate and shared by all arms; sentences are embedded once per run. Every migrator sees
the same pairs, and every arm with something to choose tries six settings on pilot replicates, chosen by its score on
the validation part. That part is in no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from holdfast.baselines.classifier import EncoderTraining
from holdfast.data.augment import Compose, Mirror, RandomAffine
from holdfast.experiment import Arm, Experiment, Measurement, Metric, Tuning
from holdfast.experiment.claims import Better, Differs, NoWorse
from holdfast.systems.fct.experiment.arms import AsTheyAre, BackwardCompatible, Budget, GrowthRun, Linear, Transformed
from holdfast.systems.fct.experiment.embeddings import Vectors, rows_of, vectors_of
from holdfast.systems.fct.experiment.fastfill import (
    AtRandom,
    Backfilled,
    ByDisagreement,
    ByNeighbours,
    ByTrueError,
    ByUncertainty,
)
from holdfast.systems.fct.experiment.own_pairs import on_own_pairs
from holdfast.systems.fct.experiment.stages import class_growth, sentences, side_information
from holdfast.systems.fct.problems import (
    Cifar100Growth,
    ClassGrowth,
    Docstrings,
    ImageNetGrowth,
    MnistGrowth,
    Reviews,
    TextIndex,
)
from holdfast.systems.fct.tool.sideinfo import AutoencoderSide, PCASide, SideInfo, SimCLRSide

DIGITS, WORDS, FILMS = "MNIST, digits 0-4 -> 0-9", "docstrings, TF-IDF -> MiniLM", "film reviews, TF-IDF -> MiniLM"
LARGE = ("CIFAR-100, 50 -> 100 classes", "ImageNet, 500 -> 1000 classes")
IMAGES, TEXTS = (DIGITS, *LARGE), (WORDS, FILMS)


# ---------------------------------------------------------------------------------------------------------- one trial
def trial(run: GrowthRun) -> Iterator[Measurement]:
    """Embed the problem's rows by both models, migrate the gallery as the arm does, and measure retrieval."""
    if isinstance(run.problem, ClassGrowth):
        data = _grown(run, run.problem)
    elif isinstance(run.problem, TextIndex):
        data = _indexed(run, run.problem)
    else:
        data = run.problem.split(run.rng("split"), run.scale.rows)
    yield from run.arm.measure(run, data)


def _grown(run: GrowthRun, problem: ClassGrowth) -> Vectors:
    scale = run.scale
    # One name begins with "split": what encoders make of the images is data here, the same for arms with other seeds.
    shared: dict[str, Any] = {
        "problem": problem,
        "split": run.seed("split"),
        "seed": run.seed("split: encoders"),
        "rows": scale.rows,
        "files": problem.fingerprint(),
        "device": run.device,
    }
    made = run.stage("encoders", class_growth, training=scale.training, **shared)
    tensors = {name: tensor for name, tensor in made.items() if "/" in name}
    wanted = getattr(run.arm, "side", None)
    if wanted is not None:
        side = run.stage(
            f"side {wanted}", side_information, side=_side(wanted, scale), workers=scale.training.workers, **shared
        )
        tensors |= {f"{part}/side/{wanted}": tensor for part, tensor in side.items()}
    return vectors_of(tensors, "l2", classifier=made["new classifier"], old_classifier=made["old classifier"])


def _side(name: str, scale: Budget) -> SideInfo:
    ways: Mapping[str, SideInfo] = {
        "SimCLR": SimCLRSide(scale.side_epochs, scale.side_batch, augment=scale.views),
        "autoencoder": AutoencoderSide(scale.side_epochs, scale.side_batch),
        "PCA": PCASide(),
    }
    return ways[name]


def _indexed(run: GrowthRun, problem: TextIndex) -> Vectors:
    made = run.stage(
        "sentences",
        sentences,
        problem=problem,
        files=problem.fingerprint(),
        dim=run.scale.dim,
        device=run.device,
    )
    order = run.rng("split").permutation(problem.total)
    sizes = {"fit": problem.pairs, "validation": problem.validation, "test": problem.test}
    return vectors_of(rows_of(made, order, sizes), "cosine")


# --------------------------------------------------------------------------------------------------------------- arms
H: Mapping[str, Sequence[Any]] = {"lr": (5e-4, 2e-3, 8e-3), "weight_decay": (2**-15, 1e-3)}
PENALTY: Mapping[str, Sequence[Any]] = {"penalty": (None, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)}
INFLUENCE: Mapping[str, Sequence[Any]] = {"weight": (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)}
FASTFILL: Mapping[str, Sequence[Any]] = {"lr": (5e-4, 2e-3, 8e-3), "label_weight": (0.0, 1.0)}


def _h(about: str, problems: tuple[str, ...] = (DIGITS,), **settings: Any) -> Arm:
    return Arm(Transformed(**settings), space=H, problems=problems, about=about)


def _ridge(about: str, problems: tuple[str, ...] = (DIGITS,), **settings: Any) -> Arm:
    return Arm(Linear(**settings), space=PENALTY, problems=problems, about=about)


def _filled(about: str, order: Any, **settings: Any) -> Arm:
    return Arm(Backfilled(order, **settings), tuned_as="FastFill", problems=(DIGITS,), about=about)


N_GRAMS = "n-grams"
ARMS = {
    "old/old": Arm(AsTheyAre("old", "old"), problems=(*IMAGES, *TEXTS), about="nothing changes: the old model alone"),
    "new/new": Arm(AsTheyAre("new", "new"), problems=IMAGES, about="everything embedded again: the upper bound"),
    "raw new/old": Arm(AsTheyAre("new", "old"), problems=(DIGITS,), about="new queries on the old gallery as it is"),
    "BCT new/old": Arm(
        BackwardCompatible("old"), space=INFLUENCE, problems=IMAGES, about="backward-compatible new model, old gallery"
    ),
    "BCT new/new": Arm(
        BackwardCompatible("new"), tuned_as="BCT new/old", problems=IMAGES, about="that model on its own gallery"
    ),
    "ridge": _ridge("linear map of the old embedding"),
    "ridge + side": _ridge("linear map of old embedding and SimCLR side-information", side="SimCLR"),
    "h": _h("the paper's h of the old embedding alone", IMAGES),
    "h + side": _h("the paper's method: h of old embedding and SimCLR side-information", IMAGES, side="SimCLR"),
    "h of side only": _h("h of the SimCLR side-information alone", side="SimCLR", without_old=True),
    "h + autoencoder": _h("h with side-information by an autoencoder", side="autoencoder"),
    "h + PCA": _h("h with side-information by principal components of the pixels", side="PCA"),
    "ridge + PCA": _ridge("linear map with side-information by principal components", side="PCA"),
    "h + side, other seeds": Arm(
        Transformed("SimCLR"),
        tuned_as="h + side",
        problems=(DIGITS,),
        reseed=1,
        about="control: the same from other weights and in another order, on the same embeddings",
    ),
    "FastFill": Arm(
        Backfilled(ByUncertainty()),
        space=FASTFILL,
        problems=(DIGITS,),
        about="h with FastFill's loss, no side-information; rows in the order of its uncertainty",
    ),
    "FastFill, random order": _filled("the same h, rows in a random order", AtRandom()),
    "FastFill, true error": _filled("the same h, rows in the order of the error made: cannot be known", ByTrueError()),
    "FastFill, neighbours": _filled("the same h, order by the errors of the nearest validation pairs", ByNeighbours()),
    "FastFill, ensemble": _filled("the same h, order by the disagreement with three others", ByDisagreement()),
    "FCT, random order": Arm(
        Backfilled(AtRandom(), head=False),
        space={"lr": (2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3, 8e-3)},
        problems=(DIGITS,),
        about="FCT's h without a head, rows in a random order: what there was before FastFill",
    ),
    "text: ridge": _ridge("linear map of the bag of words", TEXTS),
    "text: ridge + side": _ridge("linear map of bag of words and hashed n-grams", TEXTS, side=N_GRAMS),
    # MiniLM's embeddings have 384 numbers: with 128 in between, h would be narrower than what it has to give.
    "text: h": _h("h of the bag of words", TEXTS, inner=512),
    "text: h + side": _h("h of bag of words and hashed n-grams", TEXTS, inner=512, side=N_GRAMS),
}


# ------------------------------------------------------------------------------------------------------------- claims
MAP: dict[str, Any] = {"metric": "mAP", "on": DIGITS}
TOP: dict[str, Any] = {"metric": "top-1", "on": DIGITS}
FILL: dict[str, Any] = {"metric": "backfilling mAP", "on": DIGITS}
RECALL: dict[str, Any] = {"metric": "recall@10", "on": WORDS}
CLAIMS = (
    Better(
        "h + side",
        than="BCT new/old",
        margin=20,
        role="headline",
        scope="MNIST-5k, the old model knows five of ten digits, embeddings of 16 numbers",
        published="+18.1 % CMC top-1 (ImageNet, 500 -> 1,000 classes)",
        source="abstract",
        **MAP,
    ),
    Better("h + side", than="BCT new/old", margin=18.1, published="+18.1 % (ImageNet)", source="abstract", **TOP),
    Better("h + side", than="h", margin=2, **MAP),
    NoWorse("new/new", than="BCT new/new", margin=0.5, text="the new model loses nothing (top-1)", **TOP),
    NoWorse("new/new", than="BCT new/new", margin=0.5, text="the new model loses nothing (mAP)", **MAP),
    Better("h + side", than="old/old", **MAP),
    Better("h + side", than="ridge + side", **MAP),
    NoWorse(
        "ridge + side",
        than="h + side",
        margin=1,
        text="a linear map is as good as h where the nearest row is all that counts (top-1)",
        **TOP,
    ),
    NoWorse(
        "h + PCA",
        than="h + side",
        margin=1,
        text="principal components are as good a side-information as SimCLR (mAP)",
        **MAP,
    ),
    Better("FastFill", than="FastFill, random order", **FILL),
    Better(
        "FastFill",
        than="FCT, random order",
        published="+4.4 % mAP of the backfilling curve (ImageNet)",
        source="FastFill, abstract",
        **FILL,
    ),
    Better("FastFill", than="FastFill, neighbours", **FILL),
    Better("text: h + side", than="text: h", **RECALL),
    Better("text: h + side", than="text: ridge + side", **RECALL),
    Better("text: h + side", than="old/old", **RECALL),
    Better("text: h + side", than="text: ridge + side", metric="recall@10", on=FILMS),
    Better("new/new", than="raw new/old", margin=30, role="control", expect="found", **MAP),
    Differs("h + side", "h + side, other seeds", role="control", expect="not found", **MAP),
)


def own(paths: Sequence[Path], columns: Mapping[str, str]) -> Experiment:
    """The experiment on the user's own pairs of embeddings."""
    return on_own_pairs(experiment, paths)


PAPER = EncoderTraining(
    epochs=100,
    batch=1024,
    lr=1.024,
    momentum=0.875,
    weight_decay=2**-15,
    warmup=0.05,
    augment=Compose((RandomAffine(degrees=0.0, scale=(1.0, 1.6), shear=0.0, translate=0.1), Mirror())),
    workers=8,
)
experiment = Experiment(
    question="Can a gallery of old embeddings serve a new model without being embedded again?",
    problems={
        DIGITS: MnistGrowth(),
        WORDS: Docstrings(),
        FILMS: Reviews(),
        LARGE[0]: Cifar100Growth(),
        LARGE[1]: ImageNetGrowth(),
    },
    arms=ARMS,
    metrics={
        "mAP": Metric("%", about="mean average precision, every test row against all others"),
        "top-1": Metric("%", about="CMC: the nearest row is of the query's class"),
        "top-5": Metric("%", about="CMC: one of the five nearest rows is"),
        "recall@10": Metric("%", about="share of the new model's own ten nearest neighbours that are found"),
        "backfilling mAP": Metric("%", about="mean of mAP after 0, 10, ..., 100 % of the rows were embedded again"),
        "validation score": Metric("%", about="on the validation part: mAP, recall@10 or backfilling mAP"),
    },
    scales={
        "smoke": Budget(
            training=EncoderTraining(epochs=1, batch=32),
            side_epochs=1,
            side_batch=32,
            epochs=2,
            batch=32,
            inner=16,
            rows=96,
            replicates=1,
            arms=("old/old", "BCT new/old", "ridge + PCA", "h", "h + side", "FastFill"),
            problems=(DIGITS,),
        ),
        "demo": Budget(side_epochs=15, arms=("old/old", "BCT new/old", "h", "h + side"), problems=(DIGITS,)),
        "small": Budget(problems=(DIGITS, *TEXTS)),
        "full": Budget(
            training=PAPER,
            side_epochs=100,
            side_batch=512,
            views=Compose((RandomAffine(degrees=0.0, scale=(1.0, 2.5), shear=0.0, translate=0.2), Mirror())),
            epochs=80,
            batch=1024,
            inner=2048,
            arms=("old/old", "new/new", "BCT new/old", "BCT new/new", "h", "h + side"),
            problems=LARGE,
            slow=True,
            status="not yet run",
        ),
    },
    claims=CLAIMS,
    trial=trial,
    tuning=Tuning(metric="validation score", problem=DIGITS, configurations=6, pilots=2),
    own=own,
    benefit="mAP",
)
