from .method.diagonal import DiagonalLinearNetwork as DiagonalLinearNetwork
from .method.diagonal import dln_sgd as dln_sgd
from .method.features import SparsityReport as SparsityReport
from .method.features import feature_sparsity as feature_sparsity
from .method.features import jacobian_rank as jacobian_rank
from .method.schedule import LargeStepSchedule as LargeStepSchedule
from .method.schedule import LossStabilizationDetector as LossStabilizationDetector
from .method.schedule import find_max_stable_lr as find_max_stable_lr
