"""Lottery tickets: pruning with rewinding, and the landscape of the loss it happens in.   arXiv 2210.03044

The mathematics is in `method` (pruning, IMP, the limit of one pruning), masks in `holdfast.layers.weight_masks`,
barriers and spectra in `holdfast.metrics.landscape`, the question in `experiment`.
The public names are listed in `__init__.pyi` and imported when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
