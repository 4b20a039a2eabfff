"""The contract of everything with `fit`, and the folders that fitted models are kept in."""

from holdfast.estimator.contract import Estimator as Estimator
from holdfast.estimator.contract import Example as Example
from holdfast.estimator.contract import NotFitted as NotFitted
from holdfast.estimator.contract import Tags as Tags
