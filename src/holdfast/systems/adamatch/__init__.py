"""AdaMatch: one classifier for unsupervised, semi-supervised and semi-supervised-domain-adaptation problems.

arXiv 2106.04732. The mathematics is in `method`, learnt augmentation in `ctaugment`. The public names are listed in
`__init__.pyi` and imported when first used, so that the command line can show its help without torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
