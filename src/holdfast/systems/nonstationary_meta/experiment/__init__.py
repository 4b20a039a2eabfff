"""Do networks with memory, trained on sampled sources alone, become Bayes mixtures? Declared in `declared`."""

from holdfast.systems.nonstationary_meta.experiment.declared import experiment as experiment
