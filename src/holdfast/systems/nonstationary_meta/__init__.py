"""Exact predictors for streams that change (KT, PTW, LIN), and networks meta-trained to be such predictors.

arXiv 2302.03067. The mathematics is in `method`; what users do with it in `tool`, `MetaPredictor` in `estimator`;
`experiment` asks whether the paper's claims hold. The public names are listed in `__init__.pyi` and imported when first
used, so that the command line can show its help without torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
