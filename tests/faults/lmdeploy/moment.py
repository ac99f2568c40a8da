"""When a fault happened, for whoever measures how long the suite took to notice."""

import os
import time
from pathlib import Path
from typing import Final

MOMENT: Final = "FAULT_MOMENT"
"""Environment variable: the file that gets the moment."""


def note() -> None:
    """Write the wall-clock time, in seconds, unless an earlier moment is there."""
    name = os.environ.get(MOMENT)
    if name is not None and not Path(name).exists():
        Path(name).write_text(str(time.time()))
