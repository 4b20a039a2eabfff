"""Look at every page that holdfast makes in a real browser.

    python -m tests.browser                 all checks; the site of the documentation must have been built
    python -m tests.browser -k keyboard     some of them; arguments are those of pytest

Pictures of the pages go to build/browser/.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.browser.browsing import GET_IT, chromium


def main() -> int:
    if not chromium():
        print(GET_IT, file=sys.stderr)
        return 2
    here = str(Path(__file__).parent.relative_to(Path.cwd()))
    return int(pytest.main([here, "-o", "python_files=check_*.py", "--timeout=600", *sys.argv[1:]]))


if __name__ == "__main__":
    sys.exit(main())
