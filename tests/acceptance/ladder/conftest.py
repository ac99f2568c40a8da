"""Fixtures of this suite."""

from tests.acceptance.ladder.plugin import pytest_sessionfinish

__all__ = ["pytest_sessionfinish"]
