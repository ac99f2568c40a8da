"""pytest plugin: the wall clock of this process jumps an hour ahead and back, every half second.

What counts on it (a timeout, the age of a file) goes wrong; what counts on the monotonic clock does not.
"""

import datetime
import time
from typing import Any, Final

from xprocess import xprocess

HOUR: Final = 3600.0
EVERY: Final = 0.5

_time = time.time


def jumping() -> float:
    """Seconds since the epoch, or an hour later."""
    return _time() + (HOUR if int(time.monotonic() / EVERY) % 2 else 0.0)


class Jumping(datetime.datetime):
    """`datetime.now` on the same clock."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return cls.fromtimestamp(jumping(), tz)


time.time = jumping
time.time_ns = lambda: int(jumping() * 1e9)
if hasattr(xprocess, "datetime"):
    xprocess.datetime = Jumping
