"""Window-based gradient-boosted trees: forecasts from a table of series, and a test against deep forecasters.

arXiv 2101.02118. The public names are listed in `__init__.pyi` and imported when first used, so that the command line
can show its help without loading them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
