"""SafetyMix: feedback of users, some of whom are trolls, cleaned by who gave it. arXiv 2208.03295.

The mathematics is in `method`, the filter in `estimator`, the question in `experiment`.
The public names are listed in `__init__.pyi` and imported when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
