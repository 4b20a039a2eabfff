"""Laws between bodies, and their masses, from positions over time alone (arXiv 2202.02306).

The mathematics is in `method` (pairs, edge functions, Newton's laws, shares), the world in `problems`, what surrounds
it in `tool` (derivatives, fits, formulas, motion, discovery), the question in `experiment`. The public names are listed
in `__init__.pyi`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
