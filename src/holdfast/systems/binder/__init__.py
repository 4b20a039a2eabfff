"""Binder: questions about a table that need both the meaning of its cells and exact SQL.

arXiv 2210.02875. A program is SQL with calls (`program`); calls are answered by mappers and answerers (`calls`), and
the rest is run by a real engine (`executor`). `Binder` writes programs with a language model, or from templates. The
public names are listed in `__init__.pyi` and imported when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
