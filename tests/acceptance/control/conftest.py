"""Fixtures of this suite."""

from tests.acceptance.control.plugin import control

__all__ = ["control"]
