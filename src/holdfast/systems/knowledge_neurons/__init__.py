"""Knowledge neurons: which feed-forward neurons carry a fact, what happens without them, and edits. arXiv 2104.08696.

The mathematics is in `method`, models, files and edits in `tool`, the question in `experiment`.
The public names are listed in `__init__.pyi` and imported when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
