"""Hard prompts made easy: real tokens found by gradients. arXiv 2302.03668.

The mathematics is in `method`, what works with encoders and language models in `tool`, the question in `experiment`.
The public names are listed in `__init__.pyi` and imported when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
