from .method.rates import ScalingCurve as ScalingCurve
from .method.rates import exchange_rate as exchange_rate
from .method.rates import log2_rate as log2_rate
from .method.training import OrbitModel as OrbitModel
from .method.training import RepeatedAugmentation as RepeatedAugmentation
from .method.training import flatness as flatness
from .method.training import gradient_noise as gradient_noise
from .method.training import stored_copies as stored_copies
