"""Kinds of claims, under the name by which plugins import them; they live in `holdfast.experiment.claims`."""

from holdfast.experiment.claims import *  # noqa: F403
from holdfast.experiment.claims import __all__ as __all__
