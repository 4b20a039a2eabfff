"""SQL engines that run programs of strangers: SQLite and DuckDB, each in a child process with nothing to reach.

`session` is the parent's side and the only door; `worker` is the child; `sqlite` and `duck` are the engines inside of
it; `holdfast.sandbox` is what keeps it.
"""
