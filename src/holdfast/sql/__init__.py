"""SQL that strangers write, over one table: SQLite and DuckDB, each in a child process with nothing to reach.

`table` is the table, always called `w`; `files` reads one. `tokens` splits a text, `guard` says what it may contain:
`reading` has it asked in a child process, `examiner`, for a parser may never come back. `dialect` turns a program into
what an engine reads. `session` is the parent's side of an engine and the only door; `worker` is the child, `sqlite` and
`duck` are the engines inside of it; `holdfast.sandbox` is what keeps it. The public names are listed in `__init__.pyi`
and imported when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
