"""SGD with large steps learns sparse features: schedules, the edge of stability, measures.   arXiv 2210.05337

The mathematics is in `method` (start with `method.diagonal`), what measures a network of yours in `tool`, a regressor
for tables in `estimator`, the question in `experiment`.
The public names are listed in `__init__.pyi` and imported when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
