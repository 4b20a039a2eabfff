"""Can a gallery of old embeddings serve a new model without being embedded again? Declared in `declared`."""

from holdfast.systems.fct.experiment.declared import ARMS as ARMS
from holdfast.systems.fct.experiment.declared import CLAIMS as CLAIMS
from holdfast.systems.fct.experiment.declared import DIGITS as DIGITS
from holdfast.systems.fct.experiment.declared import experiment as experiment
from holdfast.systems.fct.experiment.declared import own as own
from holdfast.systems.fct.experiment.declared import trial as trial
