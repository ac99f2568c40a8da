"""A greeting: run with `-m greeting`."""

from __future__ import annotations

from typing import Final

from fixtures.suites import Suite

SUITE: Final = Suite("greeting", "greeting: the model greets back; off unless -m names it")
