"""Work for programs of strangers, in child processes with nothing to reach.

`child` is the parent's side: it starts the process, sends requests, keeps clock and memory. `serving` is the child's:
it answers requests until the parent is gone. `wire` is how they talk, `isolation` what the operating system takes away
from the child, `processes` how one is ended, `patterns` regular expressions under a clock,
`functions` calls of Python functions. The public
names are listed in `__init__.pyi` and imported when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
