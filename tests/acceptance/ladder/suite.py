"""The homework's ladder of memory savings: run with `-m ladder`."""

from typing import Final

from fixtures.suites import Suite

SUITE: Final = Suite(
    "ladder",
    "ladder: VRAM from bf16 to W4A16 + int4 KV, servers in turn; off unless -m names it",
    rehearsed=False,
    beside_homework=False,
    proof="RungClimbed",
    shared=True,
)
