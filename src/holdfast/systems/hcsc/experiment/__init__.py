"""Does a tree of prototypes tell which negatives belong to a query's own class? See `declared`."""

from holdfast.systems.hcsc.experiment.declared import experiment

__all__ = ["experiment"]
