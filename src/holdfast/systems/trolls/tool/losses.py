"""The paper's baseline for networks, which is shared with other systems."""

from holdfast.baselines.soft_bootstrap import soft_bootstrap_loss

__all__ = ["soft_bootstrap_loss"]
