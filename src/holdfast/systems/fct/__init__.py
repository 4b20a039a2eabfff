"""Forward compatible training and FastFill: move stored embeddings to a new model (arXiv 2112.02805, 2303.04766).

The mathematics is in `method`; `EmbeddingMigrator` in `estimator` learns a map from pairs, `tool.migration` runs it
over a store; `experiment` asks whether the papers' claims hold.
The public names are listed in `__init__.pyi` and imported when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
