"""Does IMP find sparse networks that train as well as the dense one? See `declared`."""

from holdfast.systems.lottery_ticket.experiment.declared import experiment

__all__ = ["experiment"]
