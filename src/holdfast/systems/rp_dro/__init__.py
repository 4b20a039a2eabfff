"""RP-DRO: a model against an adversary that learns which examples to weight up (arXiv 2204.06340).

The mathematics is in `method` (`game`: ratios, losses, learner; `selection`: minmax), the classifier in `estimator`,
its use on a table in `tool`, the question in `experiment`. The public names are listed in `__init__.pyi`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
