"""The one made-up run that the report's tests look at, and how they read a page."""

from __future__ import annotations

import re
from html import unescape

import pytest

from fixtures.report.summary import RunSummary, summarize
from tests.unit.report import synthetic


@pytest.fixture(scope="session")
def run() -> RunSummary:
    """A run of the homework in which everything passed."""
    return summarize(synthetic.entries())


@pytest.fixture(scope="session")
def rehearsal() -> RunSummary:
    """The same without a GPU."""
    return summarize(synthetic.entries(synthetic.events(rehearsal=True)))


def visible(markup: str) -> str:
    """The words that a reader of the page sees."""
    text = re.sub(r"<style>.*?</style>", "", markup, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", text)).split())
