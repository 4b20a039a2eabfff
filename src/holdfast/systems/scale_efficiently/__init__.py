"""Scale Efficiently: which T5-like shape to train within a budget. arXiv 2109.10686.

The counts are in `method`, the planner in `tool`, the question in `experiment`.
The public names are listed in `__init__.pyi` and imported when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
