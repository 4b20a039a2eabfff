"""Experts on one frozen base, found by what texts look like. arXiv 2302.03202.

The mathematics is in `method`, the library in `tool`, the question in `experiment`.
The public names are listed in `__init__.pyi` and imported when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
