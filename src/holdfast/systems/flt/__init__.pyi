from .estimator import FLTRegressor as FLTRegressor
from .method import fourier_factors as fourier_factors
from .method import mixture_f as mixture_f
from .method import mixture_g as mixture_g
from .net import FLTAttention as FLTAttention
from .net import FLTEncoder as FLTEncoder
from .net import FLTEncoderLayer as FLTEncoderLayer
from .net import FourierRPE as FourierRPE
