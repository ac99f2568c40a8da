"""Fixtures of this suite."""

from tests.acceptance.quality.plugin import quality

__all__ = ["quality"]
