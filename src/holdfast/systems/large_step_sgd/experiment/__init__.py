"""Do large steps that decay late lead SGD to sparser features and a lower test loss? See `declared`."""

from holdfast.systems.large_step_sgd.experiment.declared import experiment

__all__ = ["experiment"]
