"""The command `holdfast`, also as `python -m holdfast`: imports little, so that Ctrl-C is heard from the start."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Import the command line and hand over to it."""
    # Pydantic would read the metadata of every installed package for plugins of its own, and fail if one is damaged.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        from holdfast import cli

        cli.main()
    except KeyboardInterrupt:  # while importing; afterwards the command line takes care of it
        print("holdfast: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
