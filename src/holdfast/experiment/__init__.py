"""All that an author declares, in one place: problems, arms, metrics, scales, claims, and what a trial gets and yields.

Importing this imports neither numpy nor torch.

Example:
    >>> from holdfast.experiment import Better, Metric
    >>> Better("AdaMatch", than="source only", metric="accuracy", on="digits", margin=5).describe()
    'AdaMatch is better than source only by at least 5 (accuracy, digits)'
"""

from holdfast.experiment.claims import All as All
from holdfast.experiment.claims import Any as Any
from holdfast.experiment.claims import Better as Better
from holdfast.experiment.claims import Claim as Claim
from holdfast.experiment.claims import Differs as Differs
from holdfast.experiment.claims import Exact as Exact
from holdfast.experiment.claims import Interaction as Interaction
from holdfast.experiment.claims import LogRatio as LogRatio
from holdfast.experiment.claims import Near as Near
from holdfast.experiment.claims import NotTestable as NotTestable
from holdfast.experiment.claims import NoWorse as NoWorse
from holdfast.experiment.claims import Ordered as Ordered
from holdfast.experiment.claims import Place as Place
from holdfast.experiment.claims import ShareOfGap as ShareOfGap
from holdfast.experiment.claims import ShiftOfArgmin as ShiftOfArgmin
from holdfast.experiment.claims import Slope as Slope
from holdfast.experiment.declarations import FIRST_FINAL_REPLICATE as FIRST_FINAL_REPLICATE
from holdfast.experiment.declarations import PILOTS as PILOTS
from holdfast.experiment.declarations import Arm as Arm
from holdfast.experiment.declarations import DataSource as DataSource
from holdfast.experiment.declarations import Experiment as Experiment
from holdfast.experiment.declarations import Metric as Metric
from holdfast.experiment.declarations import Problem as Problem
from holdfast.experiment.declarations import RatioOfSums as RatioOfSums
from holdfast.experiment.declarations import RootMeanSquare as RootMeanSquare
from holdfast.experiment.declarations import Scale as Scale
from holdfast.experiment.declarations import Tuning as Tuning
from holdfast.experiment.identity import declaration as declaration
from holdfast.experiment.measurements import Artifact as Artifact
from holdfast.experiment.measurements import Cost as Cost
from holdfast.experiment.measurements import Curve as Curve
from holdfast.experiment.measurements import Measurement as Measurement
from holdfast.experiment.measurements import PerUnit as PerUnit
from holdfast.experiment.measurements import Scalar as Scalar
from holdfast.experiment.records import NOTHING as NOTHING
from holdfast.experiment.records import Record as Record
from holdfast.experiment.records import RecordTable as RecordTable
from holdfast.experiment.run import Run as Run
