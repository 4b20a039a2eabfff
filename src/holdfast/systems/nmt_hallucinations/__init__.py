"""Hallucinations in machine translation: scores that find them, how these are judged, and what to do. arXiv 2208.05309.

The mathematics is in `method`, the user's files in `tool`, the question in `experiment`.
The public names are listed in `__init__.pyi` and imported when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
