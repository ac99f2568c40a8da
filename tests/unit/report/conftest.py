"""The made-up runs that the report's tests look at, and how they read a page."""

import re
from html import unescape

import pytest

from fixtures.report.summary import RunSummary, summarize
from tests.unit.report import synthetic


@pytest.fixture(scope="session")
def run() -> RunSummary:
    """A run of the homework in which everything passed."""
    return summarize(synthetic.entries())


def shown(markup: str) -> list[str]:
    """The texts that a reader of the page sees."""
    text = re.sub(r"<(style|script)>.*?</\1>", "", markup, flags=re.DOTALL)
    return [" ".join(unescape(found).split()) for found in re.split(r"<[^>]*>", text) if found.strip()]


def visible(markup: str) -> str:
    """The same as one line."""
    return " ".join(shown(markup))
