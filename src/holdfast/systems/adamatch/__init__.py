"""AdaMatch: one classifier for unsupervised, semi-supervised and semi-supervised-domain-adaptation problems.

arXiv 2106.04732. The mathematics is in `method`, learnt augmentation in `ctaugment`.
"""

from holdfast.data.augment import Cutout as Cutout
from holdfast.data.augment import Mirror as Mirror
from holdfast.data.augment import Shift as Shift
from holdfast.layers.norm import frozen_bn_stats as frozen_bn_stats
from holdfast.losses.alignment import Alignment as Alignment
from holdfast.losses.alignment import DistributionAligner as DistributionAligner
from holdfast.losses.pseudo_labels import HardTarget as HardTarget
from holdfast.losses.pseudo_labels import SoftTarget as SoftTarget
from holdfast.systems.adamatch.ctaugment import CTAugment as CTAugment
from holdfast.systems.adamatch.ctaugment import CTAugmentSettings as CTAugmentSettings
from holdfast.systems.adamatch.estimator import AdaMatchClassifier as AdaMatchClassifier
from holdfast.systems.adamatch.method import AdaMatch as AdaMatch
from holdfast.systems.adamatch.method import AdaMatchLoss as AdaMatchLoss
from holdfast.systems.adamatch.method import AdaMatchSettings as AdaMatchSettings
from holdfast.systems.adamatch.method import FixedThreshold as FixedThreshold
from holdfast.systems.adamatch.method import NoInterpolation as NoInterpolation
from holdfast.systems.adamatch.method import RandomInterpolation as RandomInterpolation
from holdfast.systems.adamatch.method import RelativeThreshold as RelativeThreshold
from holdfast.systems.adamatch.method import cosine_lr as cosine_lr
from holdfast.systems.adamatch.method import mu_schedule as mu_schedule
from holdfast.systems.adamatch.method import random_logit_interpolation as random_logit_interpolation
from holdfast.systems.adamatch.method import relative_threshold as relative_threshold
