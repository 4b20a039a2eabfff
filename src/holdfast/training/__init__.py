"""THE training loop: a system gives a `Learner`, and `fit` trains it on a source of batches."""

from holdfast.training.best import Best as Best
from holdfast.training.checkpoint import Checkpoints as Checkpoints
from holdfast.training.history import Diverged as Diverged
from holdfast.training.learner import Learner as Learner
from holdfast.training.learner import Minimise as Minimise
from holdfast.training.loop import Trained as Trained
from holdfast.training.loop import fit as fit
from holdfast.training.weight_average import EMA as EMA
