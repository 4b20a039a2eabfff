"""Does the best learning rate of a narrow network stay the best of a wide one? Declared in `declared`."""

from holdfast.systems.mutransfer.experiment.declared import experiment as experiment
from holdfast.systems.mutransfer.experiment.declared import own as own
from holdfast.systems.mutransfer.experiment.declared import trial as trial
