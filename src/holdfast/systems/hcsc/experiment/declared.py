"""Does a tree of prototypes tell which negatives belong to a query's own class, at every level?   arXiv 2202.00455

    holdfast run hcsc --scale demo      about two minutes of one core
    holdfast run hcsc --scale small     last measured: ledger/hcsc/small.json

80 generated leaves in 20 subclasses of 5 superclasses. All ways to find false negatives are judged on one encoder, that
of MoCo, trained once a replicate: the items of its queue, and a score for each pair of a query and an item that should
be high where both have the same class at a level. The area under the ROC curve is taken over all pairs that do not come
from the same image, and averaged over the three levels. Training with each selection is a second question.

A replicate of all arms takes about 50 s of one core; times 24: 1,200 s. No arm is tuned: nothing that
is judged on MoCo's encoder has a setting, and all trainings use the learning rate that pilots found best for MoCo.
"""

from __future__ import annotations

from typing import Any

from holdfast.data.synthetic.leaves import LEVELS
from holdfast.experiment import All, Arm, Better, Differs, Experiment, Metric, NotTestable, NoWorse
from holdfast.systems.hcsc.experiment.levels import independent_levels, one_level, random_parents
from holdfast.systems.hcsc.experiment.trials import Cosine, Judge, PlainMoCo, Steps, Train, trial
from holdfast.systems.hcsc.problems import Leaves, Photographs

ON, PHOTOS = "leaves", "ImageNet"
TREE, SINGLE, COSINE, BROKEN = "tree", "single level", "cosine", "random parents"
INDEPENDENT, VIEW = "independent levels", "cosine of the view"
MOCO, ORACLE, FULL = "MoCo", "HCSC, oracle selection", "HCSC"
NOTHING: dict[str, Any] = {"instances": False, "prototypes": False}  # is selected
ARMS = {
    TREE: Arm(Judge(), problems=(ON,), about="drop probability of each level of the tree (80, 20, 5)"),
    SINGLE: Arm(Judge(one_level), problems=(ON,), about="drop probability of the 80 clusters, at every level"),
    INDEPENDENT: Arm(Judge(independent_levels), problems=(ON,), about="three k-means of the features themselves"),
    COSINE: Arm(Cosine(), problems=(ON,), about="cosine of the image itself and the item"),
    VIEW: Arm(Cosine(view=True), problems=(ON,), about="cosine of the query, a view, and the item"),
    BROKEN: Arm(Judge(random_parents), problems=(ON,), about="broken: prototypes above have random children"),
    "tree, other seeds": Arm(Judge(), problems=(ON,), reseed=1, about="control: the same, other starts of k-means"),
    MOCO: Arm(PlainMoCo(), about="the encoder that all ways above are judged on"),
    "PCL, single level": Arm(Train(**NOTHING, depth=1), problems=(ON,), about="80 prototypes, no selection"),
    "PCL, independent levels": Arm(Train(independent_levels, **NOTHING), problems=(ON,), about="three k-means instead"),
    "HCSC, no selection": Arm(Train(**NOTHING), problems=(ON,), about="the tree alone"),
    "HCSC, instances": Arm(Train(prototypes=False), problems=(ON,), about="instances are selected"),
    "HCSC, prototypes": Arm(Train(instances=False), problems=(ON,), about="prototypes are selected"),
    FULL: Arm(Train(), about="both are selected"),
    ORACLE: Arm(Train(oracle=True), problems=(ON,), about="instances are selected by their true classes"),
}
METRICS = {
    "AUC": Metric(about="of own-class items of the queue against others, mean over the three levels"),
    **{f"AUC, {name}": Metric(about=f"own class: the same {name} class") for name in LEVELS},
    **{f"log2 ratio, {name}": Metric(about=f"drop probability, same {name} class over others") for name in LEVELS},
    **{f"purity, {name}": Metric(about=f"images in the clusters' most frequent {name} class") for name in LEVELS},
    "accuracy": Metric("%", about="10 nearest neighbours on new images, mean over the three levels"),
    **{f"accuracy, {name}": Metric("%", about=f"of the {name} class") for name in LEVELS},
}


def _headline(arm: str, **options: Any) -> All:
    """More than its finest level knows, and no less than a cosine."""
    return All(
        Better(arm, than=SINGLE, metric="AUC", on=ON, margin=0.02),
        NoWorse(arm, than=COSINE, metric="AUC", on=ON, margin=0.02),
        **options,
    )


ROOM = Better(ORACLE, than=MOCO, metric="accuracy", on=ON, margin=1)
CLAIMS = (
    _headline(
        TREE, role="headline",
        scope="80 generated leaves, levels of 80, 20 and 5 clusters, the encoder of MoCo",
        published="none; what is published are accuracies", source="README of the reference code",
    ),
    *(Better(TREE, than=1.0, metric=f"log2 ratio, {name}", on=ON) for name in LEVELS),
    *(NoWorse(TREE, than=INDEPENDENT, metric=f"purity, {name}", on=ON, margin=0.02) for name in LEVELS[1:]),
    Better(FULL, than=MOCO, metric="accuracy", on=ON, requires=(ROOM,)),
    Better(FULL, than="HCSC, no selection", metric="accuracy", on=ON, requires=(ROOM,)),
    NotTestable(
        "69.2 % linear accuracy on ImageNet after 200 epochs, 60.7 % by nearest neighbours",
        reason="1.28 million images and weeks of several GPUs; the preset `full` is there",
    ),
    _headline(BROKEN, role="control", expect="not found"),
    Differs(TREE, "tree, other seeds", metric="AUC", on=ON, role="control", expect="not found"),
    Better(TREE, than=BROKEN, metric="AUC", on=ON, margin=0.02, role="control", expect="found"),
)  # fmt: skip

experiment = Experiment(
    question="Does a tree of prototypes tell which negatives belong to a query's own class, at every level?",
    problems={ON: Leaves(), PHOTOS: Photographs()},
    arms=ARMS,
    metrics=METRICS,
    scales={
        "smoke": Steps(epochs=1, warmup=0, queries=32, replicates=1, arms=(TREE, COSINE, MOCO, FULL), problems=(ON,)),
        "demo": Steps(arms=(TREE, SINGLE, COSINE, BROKEN), problems=(ON,)),
        "small": Steps(problems=(ON,)),
        "full": Steps(
            epochs=200, warmup=20, batch=256, queue=16_384, lr=0.03, workers=16, problems=(PHOTOS,), arms=(MOCO, FULL),
            slow=True, status="not yet run",
        ),
    },
    claims=CLAIMS,
    trial=trial,
    benefit="AUC",
)  # fmt: skip
