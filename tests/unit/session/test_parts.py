"""What one worker measured, another finds."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

from fixtures.session.parts import Parts
from tests.unit.waiting import ROOT


def test_a_part_is_found_by_whoever_knows_the_run(tmp_path: Path) -> None:
    Parts(tmp_path).put("rung", {"mib": 1.5})
    assert Parts(tmp_path).get("rung") == {"mib": 1.5}
    assert Parts(tmp_path).get("another") is None


def test_a_part_that_comes_later_is_waited_for_and_one_that_never_comes_is_named(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    threading.Timer(0.1, parts.put, ("late", 1)).start()
    began = time.monotonic()
    assert parts.await_all(["late"], 20) == []
    assert time.monotonic() - began < 10
    assert parts.await_all(["late", "never"], 0.1) == ["never"]


def test_two_workers_may_put_the_same_part_at_once(tmp_path: Path) -> None:
    program = (
        f"from pathlib import Path; from fixtures.session.parts import Parts; p = Parts(Path({str(tmp_path)!r}))\n"
    )
    program += "for n in range(500): p.put('environment', list(range(n)))"
    workers = [subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) for _ in range(3)]
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    assert Parts(tmp_path).get("environment") == list(range(499))


def test_nothing_is_left_of_them(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.put("rung", 1)
    parts.remove()
    assert list(tmp_path.iterdir()) == []
    parts.remove()
