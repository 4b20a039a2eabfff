"""muTransfer: the hyper-parameters of a wide model from those of a narrow one   (arXiv 2203.03466).

The call is `parametrize` in `method`, the rules are in `rules`, the check that proves the wiring in `coordcheck`. The
public names are listed in `__init__.pyi` and imported when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
