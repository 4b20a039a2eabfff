"""Binder: questions about a table that need both the meaning of its cells and exact SQL.

arXiv 2210.02875. `method` is the paper: a program is SQL with calls, which are answered from the inside out; the rest
is run by a real engine; answers of several programs vote. `tool` asks tables of one's own: `Binder` writes programs
with a language model, or from templates, `Executor` runs them. `experiment` asks whether the claim holds. The public
names are listed in `__init__.pyi` and imported when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
