"""Imports ahead: begun at once, and never an error of their own."""

from __future__ import annotations

import sys

from fixtures.ahead import import_ahead


def test_modules_are_there_when_the_thread_ends() -> None:
    sys.modules.pop("colorsys", None)
    import_ahead(("colorsys",)).join(10)
    assert "colorsys" in sys.modules


def test_what_cannot_be_imported_is_left_to_whoever_needs_it() -> None:
    sys.modules.pop("colorsys", None)
    thread = import_ahead(("no_such_module_here", "colorsys"))
    thread.join(10)
    assert not thread.is_alive()
    assert "colorsys" in sys.modules
