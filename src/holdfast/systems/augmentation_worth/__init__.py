"""Augmentation worth: how many more real samples would an augmentation replace (arXiv 2210.06441)?

The mathematics is in `method` (`rates`: curves and exchange rates; `training`: stored copies, orbits, probes), its use
on a table of results in `tool`, the question in `experiment`. The public names are listed in `__init__.pyi`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
