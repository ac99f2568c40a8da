"""Stands for pytest: starts a guarded command and waits, to be killed itself. Arguments: grace, then the command."""

from __future__ import annotations

import subprocess
import sys

from fixtures.process.guard import guarded

subprocess.run(guarded(sys.argv[2:], grace=float(sys.argv[1])), check=False)
