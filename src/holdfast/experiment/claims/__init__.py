"""Kinds of claims. A claim says what number a table of records must give, and where that number must lie.

Importing this imports neither numpy nor torch. A new kind is a frozen dataclass on `Claim`, `Measured` or `Compound`;
deciding, freezing and reporting work on what those promise, so no list anywhere needs to know of it.

Example:
    >>> from holdfast.experiment.claims import Better
    >>> claim = Better("AdaMatch", than="source only", metric="accuracy", on="digits", margin=5)
    >>> claim.describe()
    'AdaMatch is better than source only by at least 5 (accuracy, digits)'
    >>> claim.region
    Region(lo=5.0, hi=inf)
"""

from holdfast.experiment.claims.claim import Claim as Claim
from holdfast.experiment.claims.claim import Compound as Compound
from holdfast.experiment.claims.claim import Measured as Measured
from holdfast.experiment.claims.claim import check as check
from holdfast.experiment.claims.comparisons import Better as Better
from holdfast.experiment.claims.comparisons import Differs as Differs
from holdfast.experiment.claims.comparisons import Exact as Exact
from holdfast.experiment.claims.comparisons import Near as Near
from holdfast.experiment.claims.comparisons import NoWorse as NoWorse
from holdfast.experiment.claims.comparisons import ShareOfGap as ShareOfGap
from holdfast.experiment.claims.compounds import All as All
from holdfast.experiment.claims.compounds import Any as Any
from holdfast.experiment.claims.compounds import Ordered as Ordered
from holdfast.experiment.claims.interactions import Interaction as Interaction
from holdfast.experiment.claims.interactions import Place as Place
from holdfast.experiment.claims.optima import GridPoint as GridPoint
from holdfast.experiment.claims.optima import Optimum as Optimum
from holdfast.experiment.claims.optima import Parabola as Parabola
from holdfast.experiment.claims.regions import Apart as Apart
from holdfast.experiment.claims.regions import Region as Region
from holdfast.experiment.claims.regions import Tolerance as Tolerance
from holdfast.experiment.claims.scales import Compare as Compare
from holdfast.experiment.claims.scales import Difference as Difference
from holdfast.experiment.claims.scales import Linear as Linear
from holdfast.experiment.claims.scales import Log2 as Log2
from holdfast.experiment.claims.scales import LogRatio as LogRatio
from holdfast.experiment.claims.sweeps import ShiftOfArgmin as ShiftOfArgmin
from holdfast.experiment.claims.sweeps import Slope as Slope
from holdfast.experiment.claims.untested import NotTestable as NotTestable

__all__ = [
    "All",
    "Any",
    "Apart",
    "Better",
    "Claim",
    "Compare",
    "Compound",
    "Difference",
    "Differs",
    "Exact",
    "GridPoint",
    "Interaction",
    "Linear",
    "Log2",
    "LogRatio",
    "Measured",
    "Near",
    "NoWorse",
    "NotTestable",
    "Optimum",
    "Ordered",
    "Parabola",
    "Place",
    "Region",
    "ShareOfGap",
    "ShiftOfArgmin",
    "Slope",
    "Tolerance",
    "check",
]
