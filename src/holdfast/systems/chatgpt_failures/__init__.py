"""A categorical archive of ChatGPT failures, as probes with known answers. arXiv 2302.03494.

The statistics are in `method`, the questions in `families` (a file for each category), suites, checkers and runs in
`tool`, the question whether the instrument finds what it should in `experiment`.
The public names are listed in `__init__.pyi` and imported when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
