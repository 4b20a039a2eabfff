"""Where data sets that cannot ship with the package are looked for."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder(path: str | Path) -> Path:
    """An absolute path as it is; a relative one inside the folder named by the variable HOLDFAST_DATA, else here.

    Example:
        >>> data_folder("/data/domainnet").as_posix()
        '/data/domainnet'
    """
    return Path(os.environ.get("HOLDFAST_DATA", "")) / os.path.expanduser(path)


__all__ = ["data_folder"]
