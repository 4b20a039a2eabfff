"""`Run`, under the name by which plugins import it; it lives in `holdfast.experiment`."""

from holdfast.experiment.run import Run as Run
