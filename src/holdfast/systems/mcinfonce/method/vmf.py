"""The distribution of the paper, a shared part: named here, so that the method is complete."""

from holdfast.distributions.vmf_normaliser import log_vmf_normalizer, vmf_mean_resultant
from holdfast.distributions.von_mises_fisher import VonMisesFisher, cap_threshold

__all__ = ["VonMisesFisher", "cap_threshold", "log_vmf_normalizer", "vmf_mean_resultant"]
