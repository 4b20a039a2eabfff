"""Do large steps that decay late lead SGD to sparser features, and to a lower test loss, than small ones do?

    holdfast run large_step_sgd --scale demo     a minute on one core
    holdfast run large_step_sgd --scale small    last measured: ledger/large_step_sgd/small.json

Every arm's rate is a share of the largest stable one, which is searched on the data of the replicate; with images it is
half of that share. The small step gets four times the steps. A rate that is stable in the search and fails later is
lowered by a tenth until it does not.

A replicate of all arms takes about 27 CPU seconds, 19 of them with images; times 24 (tuning, 8 replicates, 8 more) that
is 650. Only sparse regression is tuned, so that a ledger with one look takes about 280.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from holdfast.experiment import Arm, Experiment, Metric, Tuning
from holdfast.experiment.claims import All, Better, Differs, LogRatio, NotTestable, NoWorse
from holdfast.systems.large_step_sgd.experiment.trials import Lasso, trial
from holdfast.systems.large_step_sgd.experiment.worlds import SGD, Steps
from holdfast.systems.large_step_sgd.problems import Cifar10, PooledDigits, ReluTeacher, SparseRegression

SPARSE, RELU, DIGITS = "sparse regression", "ReLU teacher", "digits"
WORLDS = (SPARSE, RELU, DIGITS)
LARGE = partial(Arm, tuned_as="large")
ARMS = {
    "small": Arm(SGD(fraction=1 / 8, hold=1.0, times=4), space={"fraction": (1 / 8, 1 / 4, 1 / 16)},
                 about="a small step, four times as many"),
    "large": Arm(SGD(), space={"decay": (4.0, 8.0, 16.0)}, about="the paper's: close to the edge, divided at 60 %"),
    "large, 10 %": LARGE(SGD(hold=0.1), problems=WORLDS, about="divided at 10 %"),
    "small init": Arm(SGD(hold=1.0, times=4, batch=None, init=0.01), space={"init": (0.01, 0.001, 0.0001)},
                      problems=(SPARSE,), about="gradient descent from a small start, four times the steps"),
    "label noise": Arm(SGD(fraction=0.5, decay=10.0, label_noise=0.1), space={"label_noise": (0.1, 0.3, 0.03)},
                       problems=(SPARSE,),
                       about="half the largest rate, new noise on the labels of every step; divided at 60 %"),
    "LassoCV": Arm(Lasso(), space={"folds": (5, 10, 3)}, problems=(SPARSE,), deterministic=True,
                   about="penalty by cross-validation"),
    "large, all rows": LARGE(SGD(batch=None), problems=(SPARSE,),
                             about="broken: gradients of all rows, so there is no noise; the same schedule"),
    "large, other order": LARGE(SGD(), problems=(SPARSE,), reseed=1,
                                about="control: the same data, rows in another order"),
}  # fmt: skip
LOSS = partial(Metric, higher_is_better=False)
METRICS = {
    "test loss": LOSS(about="half the mean square; for the ReLU teacher the mean square"),
    "train loss": LOSS(about="the same on the training rows; digits: cross-entropy"),
    "validation loss": LOSS(about="on rows to tune with"),
    "coordinates": LOSS(about="coefficients above 1 % of the largest"),
    "l1 norm": LOSS(about="of the coefficients"),
    "feature sparsity": LOSS("%", about="the paper's coefficient: hidden layer, or last convolution; lower is sparser"),
    "Jacobian rank": LOSS(about="singular values above 1e-4 of the largest"),
    "test error": LOSS("%", about="of 1,000 fixed digits"),
    "rate": Metric(about="the largest of the run"),
}
RATIO = partial(Better, compare=LogRatio())
OURS = partial(RATIO, "large", on=SPARSE, metric="test loss")
NOTEBOOK = "saved output of the authors' notebook"


def _fitted(*arms: str, on: str = SPARSE, level: float = 1e-4) -> tuple[Better, ...]:
    return tuple(RATIO(arm, than=level, metric="train loss", on=on) for arm in arms)


def _headline(arm: str, **role: Any) -> All:
    return All(
        RATIO(arm, than="small", metric="test loss", on=SPARSE, margin=round(np.log2(5), 4)),
        RATIO(arm, than="small", metric="coordinates", on=SPARSE, margin=1.0),
        requires=_fitted(arm, "small"),
        **role,
    )


CLAIMS = (
    _headline(
        "large",
        role="headline",
        text="a large step that decays at 60 % ends at a fifth of the small step's test loss or less, with at most "
        "half as many coordinates, though the small step takes four times the steps",
        scope="diagonal linear networks, 80 rows of 200 coordinates, 20 of them count, no noise; 40,000 steps",
        published="3.5e-3 at a constant rate, 2.8e-4 with decay at 30 %; active coordinates 200 and 89 (one draw)",
        source=NOTEBOOK,
    ),
    OURS(than="large, 10 %", text="holding the large step for 60 % of the steps is better than for 10 % (test loss)",
         published="6.6e-4 at 10 %, 2.8e-4 at 30 % (one draw)", source=NOTEBOOK),
    OURS(than="LassoCV"),
    OURS(than="small init"),
    OURS(than="label noise"),
    RATIO("large", than="small", metric="feature sparsity", on=RELU, margin=round(np.log2(4 / 3), 4),
          text="with a ReLU teacher the coefficient of feature sparsity is lower by a quarter",
          requires=_fitted("large", "small", on=RELU, level=1e-3)),
    RATIO("large", than="small", metric="test loss", on=RELU, margin=1.0,
          text="with a ReLU teacher the test loss is half or less",
          requires=_fitted("large", "small", on=RELU, level=1e-3)),
    All(
        RATIO("large", than="small", metric="feature sparsity", on=DIGITS),
        NoWorse("large", than="small", metric="test error", on=DIGITS, margin=1.0),
        text="on digits the last convolution's features are sparser, and the test error no worse by 1 point",
        requires=_fitted("large", "small", on=DIGITS, level=0.01),
        published="none; the paper says: sparser features and better generalisation (ResNets on CIFAR)",
        source="abstract",
    ),
    NotTestable(
        "ResNets on CIFAR-10, CIFAR-100 and Tiny ImageNet generalise better and get sparser with longer large steps",
        reason="100 epochs of a ResNet-18 do not fit here; `--scale full` is ready and not yet run",
    ),
    RATIO("LassoCV", than="small", metric="test loss", on=SPARSE, margin=1.0, role="control", expect="found",
          text="the regression is sparse: cross-validated lasso has half the small step's test loss"),
    Differs("large", "large, other order", metric="test loss", on=SPARSE, compare=LogRatio(), role="control",
            expect="not found"),
    _headline("large, all rows", role="control", expect="not found",
              text="the headline with gradients of all rows in the place of SGD"),
)  # fmt: skip

experiment = Experiment(
    question="Do large steps that decay late lead SGD to sparser features and a lower test loss than small steps?",
    problems={SPARSE: SparseRegression(), RELU: ReluTeacher(), DIGITS: PooledDigits(), "CIFAR-10": Cifar10()},
    arms=ARMS,
    metrics=METRICS,
    scales={
        "smoke": Steps(diagonal=300, relu=300, warmup=20, images=4, search=30, evaluations=1, replicates=1,
                       problems=WORLDS, arms=("small", "large", "LassoCV")),
        "demo": Steps(problems=(SPARSE,), arms=("small", "large", "LassoCV", "large, all rows")),
        "small": Steps(problems=WORLDS),
        "full": Steps(images=19_600, search=600, evaluations=6, batch=256, problems=("CIFAR-10",), slow=True,
                      arms=("small", "large"), status="not yet run"),
    },
    claims=CLAIMS,
    trial=trial,
    tuning=Tuning(metric="validation loss", problem=SPARSE, configurations=3, pilots=2),
    benefit="test loss",
)  # fmt: skip
