"""Pic2Word: a picture becomes one word of CLIP's text encoder, so that text can change what is searched for.

arXiv 2302.03084. The mathematics is in `method`, the tool in `estimator`, published benchmarks in `tool`, the question
in `experiment`. The public names are listed in `__init__.pyi`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
