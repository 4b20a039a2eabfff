"""Shared parts that are public names of this system, too."""

from holdfast.layers.weight_masks import MaskDict as MaskDict
from holdfast.layers.weight_masks import load_mask as load_mask
from holdfast.layers.weight_masks import random_mask_like as random_mask_like
from holdfast.layers.weight_masks import save_mask as save_mask
from holdfast.metrics.landscape.barrier import Barrier as Barrier
from holdfast.metrics.landscape.barrier import error_barrier as error_barrier
from holdfast.metrics.landscape.spectrum import hessian_spectrum as hessian_spectrum
