"""Language models behind one protocol: an HTTP endpoint, a local folder, a recording, a script; budgets; a cache.

`with Budget(Limits(max_tokens=10_000)):` counts what models spend inside of it, and stops before it is too much.
`AnswerCache` keeps what was paid for. The names are imported when first used, so that a recording can be replayed
without torch or an HTTP library.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
