"""Do boosted trees on windows of the past forecast better than deep networks? Declared in `declared`."""

from holdfast.systems.gbrt_forecasting.experiment.declared import ARMS as ARMS
from holdfast.systems.gbrt_forecasting.experiment.declared import experiment as experiment
from holdfast.systems.gbrt_forecasting.experiment.declared import own as own
from holdfast.systems.gbrt_forecasting.experiment.declared import trial as trial
