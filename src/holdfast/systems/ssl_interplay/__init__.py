"""The SSL interplay: self-supervised features in closed form, from who is a view of whom and from a kernel.

arXiv 2302.02774. The mathematics is in `method` (`features`: kernels; `spectrum`: operators, eigenpairs, losses), the
tool in `estimator`, the question in `experiment`. The public names are listed in `__init__.pyi`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
