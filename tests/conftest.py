"""What all tests share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hypothesis import settings

# Before torch is imported: with several threads on few cores, small tensor operations take several times longer.
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))  # the toys, also for worker processes

# No deadline: a busy machine is no counterexample. `make test` tries the same examples each time, so that a change is
# judged by what it changes; `make test-all` draws new ones, and `--hypothesis-profile searching` many of them.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("random", deadline=None)
settings.register_profile("searching", deadline=None, max_examples=2000)
settings.load_profile("repeatable")
if "torch" in sys.modules:  # imported by a plugin, too late for the variable
    sys.modules["torch"].set_num_threads(1)

pytest_plugins = ["toy_system"]
