"""HCSC: contrastive learning with a tree of prototypes that is rebuilt every epoch, and the tree for any features.

arXiv 2202.00455. The mathematics is in `method`, the tool in `estimator`, the question in `experiment`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
