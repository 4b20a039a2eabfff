"""Readers of ordinary files: folders and lists of images, npy and npz arrays, tables of every usual format.

Every malformed file ends in an `InputError` that names the file, the rule and what was found. The public names are
listed in `__init__.pyi` and imported when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
