"""What one worker measured, another finds."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from fixtures.parts import Parts


def test_a_part_is_found_by_whoever_knows_the_run(tmp_path: Path) -> None:
    Parts(tmp_path).put("rung", {"mib": 1.5})
    assert Parts(tmp_path).get("rung") == {"mib": 1.5}
    assert Parts(tmp_path).get("another") is None


def test_a_part_that_comes_later_is_waited_for_and_one_that_never_comes_is_named(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    threading.Timer(0.3, parts.put, ("late", 1)).start()
    began = time.monotonic()
    assert parts.await_all(["late"], 20) == []
    assert time.monotonic() - began < 10
    assert parts.await_all(["late", "never"], 0.1) == ["never"]


def test_nothing_is_left_of_them(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.put("rung", 1)
    parts.remove()
    assert list(tmp_path.iterdir()) == []
    parts.remove()
