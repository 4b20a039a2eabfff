"""The rules that the paper compares with, and the worst group's accuracy, under the names of this system's users."""

from holdfast.baselines.robust import GroupDROLoss as GroupDROLoss
from holdfast.baselines.robust import chi2_ball_weights as chi2_ball_weights
from holdfast.baselines.robust import cvar_weights as cvar_weights
from holdfast.baselines.robust import kl_ball_weights as kl_ball_weights
from holdfast.metrics.groups import worst_group_accuracy as worst_group_accuracy
