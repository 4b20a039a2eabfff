"""Rules that the paper compares with, its data and its measure, under the names of this system's users."""

from holdfast.baselines.robust import GroupDROLoss as GroupDROLoss
from holdfast.baselines.robust import chi2_ball_weights as chi2_ball_weights
from holdfast.baselines.robust import cvar_weights as cvar_weights
from holdfast.baselines.robust import kl_ball_weights as kl_ball_weights
from holdfast.data.biased_text import biased_text as biased_text
from holdfast.metrics.groups import worst_group_accuracy as worst_group_accuracy
