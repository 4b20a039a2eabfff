"""Does iterative magnitude pruning with rewinding find sparse networks that train as well as the dense one?

    holdfast run lottery_ticket --scale demo     a few minutes on 2 cores
    holdfast run lottery_ticket --scale small    last measured: ledger/lottery_ticket/small.json

A replicate of all arms takes about 35 CPU seconds; times 24 (tuning, 8 replicates, 8 more) that is 840.

Arms share data, initialisation, order of the batches and the weights after tau = 20 steps, and are measured at three
densities of the two prunable layers. Controls take their masks from the levels of IMP. Every arm that is tuned chooses
its learning rate by its error at density .078 on images that are in no other part.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from holdfast.experiment import Arm, Experiment, Metric, Tuning
from holdfast.experiment.claims import All, Better, Differs, NotTestable, NoWorse
from holdfast.systems.lottery_ticket.experiment.trials import (
    FRACTION,
    Dense,
    Masked,
    OneShot,
    Snip,
    Steps,
    Tickets,
    WhileTraining,
    as_it_is,
    shuffled,
    trial,
)
from holdfast.systems.lottery_ticket.problems import Cifar10, PooledDigits
from holdfast.training.masked import MaskedTraining

# -------------------------------------------------------------------------------------------------------- the claims
RATES = {"lr": (0.1, 0.2, 0.05)}
ARMS = {
    "dense": Arm(Dense(), tuned_as="IMP", about="never pruned"),
    "IMP": Arm(Tickets(), space=RATES, about="the paper's method: prune 40 %, rewind to step 20, train, again"),
    "shuffled": Arm(Masked(shuffled), tuned_as="IMP", about="IMP's number of weights in every layer, at random"),
    "new weights": Arm(Masked(as_it_is, fresh=True), tuned_as="IMP", about="IMP's mask on another initialisation"),
    "one-shot": Arm(OneShot(), space=RATES, about="the smallest weights of the dense network go at once, rewound"),
    "gradual": Arm(WhileTraining(), space=RATES, about="pruned while it trains, cubic schedule"),
    "SNIP": Arm(Snip(), space=RATES, about="pruned at initialisation by connection sensitivity"),
    "IMP, mask of another run": Arm(
        Masked(as_it_is, other=True),
        tuned_as="IMP",
        about="broken: what IMP found from other weights and data",
    ),
    "IMP, other seeds": Arm(
        Tickets(), tuned_as="IMP", reseed=1, about="control: the same data, other initialisation and batches"
    ),
}
ERROR = partial(Metric, "%", higher_is_better=False)
METRICS = {
    "error at .078": ERROR(about="on the test images, 7.8 % of the prunable weights kept"),
    "error at .13": ERROR(about="on the test images, 13 % kept"),
    "error at .03": ERROR(about="on the test images, 2.8 % kept"),
    "validation error": ERROR(about="at .078, on images set aside for tuning"),
    "barrier, matching levels": Metric(
        "points", higher_is_better=False, about="largest rise of the training error between levels, the second matching"
    ),
    "barrier at .03": Metric("points", about="rise of the training error between the last two levels"),
    "barrier, two initialisations": Metric("points", about="between two dense networks"),
    "barrier, two noises": Metric("points", about="between two dense networks from step 20 on"),
    "predicted limit": Metric("%", about="largest prunable share of the dense network by the Hessian's spectrum"),
}
ON = "digits"


def _headline(arm: str, **role: Any) -> All:
    return All(
        Better(arm, than="shuffled", margin=10, metric="error at .078", on=ON),
        Better(arm, than="new weights", margin=3, metric="error at .078", on=ON),
        NoWorse(arm, than="gradual", margin=1, metric="error at .078", on=ON),
        NoWorse(arm, than="dense", margin=1, metric="error at .13", on=ON),
        **role,
    )


CLAIMS = (
    _headline(
        "IMP",
        role="headline",
        text="IMP with rewinding finds sparse networks that train: at density .078 by 10 points better than its layers "
        "shuffled, by 3 than its mask on new weights, no worse than gradual pruning by 1; at .13 than dense by 1",
        scope="one pool of 4,000 MNIST digits at 14x14, perceptron with 25,000 weights, 400 steps",
        published="none; the paper says: sparse networks of matching accuracy (ResNets on CIFAR and ImageNet)",
        source="abstract",
    ),
    Better("IMP", than="one-shot", metric="error at .03", on=ON),
    Better("IMP", than="SNIP", metric="error at .078", on=ON),
    Better(
        "IMP", than=1.0, metric="barrier, matching levels", on=ON,
        text="levels that match are linearly connected: barrier at most 1 point",
        published="barrier 0", source="abstract",
    ),
    Better(
        "IMP", than=2.0, metric="barrier at .03", on=ON,
        text="a level that does not match is behind a barrier of at least 2 points",
        published="none; the paper says: connected if and only if matching", source="abstract",
        requires=(Better("dense", than="IMP", margin=1, metric="error at .03", on=ON),),
    ),
    Better(
        "dense", than=100 * FRACTION, metric="predicted limit", on=ON,
        text="the Hessian's spectrum allows to prune more than the 40 % that go at once",
    ),
    NotTestable(
        "On ResNets with CIFAR and ImageNet, successive levels are linearly connected if and only if they match",
        reason="ten trainings of a ResNet-20 on 50,000 images do not fit here; on the perceptron barriers are small "
        "with and without matching",
    ),
    Better("dense", than=2.0, metric="barrier, two initialisations", on=ON, role="control", expect="found",
           text="two dense networks of different initialisation are behind a barrier of at least 2 points"),
    Differs("IMP", "IMP, other seeds", metric="error at .078", on=ON, role="control", expect="not found"),
    _headline("IMP, mask of another run", role="control", expect="not found",
              text="the headline with the mask of another run in IMP's place"),
)  # fmt: skip

SHORT = MaskedTraining(steps=130)
experiment = Experiment(
    question="Does iterative magnitude pruning find sparse networks that train as well as the dense one?",
    problems={ON: PooledDigits(), "CIFAR-10": Cifar10()},
    arms=ARMS,
    metrics=METRICS,
    scales={
        "smoke": Steps(training=MaskedTraining(steps=3), rewind=1, probes=1, replicates=1, problems=(ON,),
                       arms=("dense", "IMP", "shuffled", "one-shot", "gradual", "SNIP")),
        "pilot": Steps(training=SHORT, rewind=7, probes=0, replicates=2, problems=(ON,)),
        "demo": Steps(problems=(ON,), probes=0,
                      arms=("dense", "IMP", "shuffled", "new weights", "gradual", "IMP, mask of another run")),
        "small": Steps(problems=(ON,)),
        "full": Steps(
            training=MaskedTraining(steps=62_500, batch=128, momentum=0.9, weight_decay=1e-4, drops=(0.5, 0.75)),
            rewind=2000, problems=("CIFAR-10",), slow=True, status="not yet run",
            arms=("dense", "IMP", "shuffled", "new weights", "gradual"),
        ),
    },
    claims=CLAIMS,
    trial=trial,
    tuning=Tuning(metric="validation error", problem=ON, configurations=3, pilots=2, scale="pilot"),
    benefit="error at .078",
)  # fmt: skip
