"""muTransfer: tune a narrow model, train a wide one with the same hyper-parameters (arXiv 2203.03466).

The mathematics is in `method`, in the paper's order: `dimensions`, `rules`, `initialisation`; `tool` applies it to a
model and checks it (`parametrize`, `coord_check`, `transfer_sweep`); `experiment` asks whether rates transfer.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
