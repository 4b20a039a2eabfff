"""What all tests share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hypothesis import settings

# Before torch is imported: with several threads on few cores, small tensor operations take several times longer.
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))  # the toys, also for worker processes

settings.register_profile("holdfast", deadline=None)  # a busy machine is no counterexample
settings.load_profile("holdfast")
if "torch" in sys.modules:  # imported by a plugin, too late for the variable
    sys.modules["torch"].set_num_threads(1)

pytest_plugins = ["toy_system"]
