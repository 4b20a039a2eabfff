"""Gradient gating: a node stops moving where it has become like its neighbours, so that depth does not smooth.

arXiv 2210.00513. The mathematics is in `method`, the tool in `estimator`, the question in `experiment`.
The public names are listed in `__init__.pyi` and imported when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
