"""Do programs with calls answer what SQL alone and vectors alone cannot? Declared in `declared`."""

from holdfast.systems.binder.experiment.declared import ARMS as ARMS
from holdfast.systems.binder.experiment.declared import CLAIMS as CLAIMS
from holdfast.systems.binder.experiment.declared import ITEMS as ITEMS
from holdfast.systems.binder.experiment.declared import experiment as experiment
from holdfast.systems.binder.experiment.declared import trial as trial
