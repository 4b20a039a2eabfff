"""Shared parts that belong to what a user of AdaMatch expects to find here."""

from holdfast.data.augment import Cutout as Cutout
from holdfast.data.augment import Mirror as Mirror
from holdfast.data.augment import Shift as Shift
from holdfast.data.ctaugment import CTAugment as CTAugment
from holdfast.data.ctaugment import CTAugmentSettings as CTAugmentSettings
from holdfast.layers.norm import frozen_bn_stats as frozen_bn_stats
from holdfast.losses.alignment import Alignment as Alignment
from holdfast.losses.alignment import DistributionAligner as DistributionAligner
from holdfast.losses.pseudo_labels import HardTarget as HardTarget
from holdfast.losses.pseudo_labels import SoftTarget as SoftTarget
