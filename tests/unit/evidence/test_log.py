"""The log of events: on disk at once, whatever is in it, and nothing in it that must not be published."""

import errno
import itertools
import json
import os
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest

from fixtures.errors import StorageError
from fixtures.evidence import EVENTS_FILE, Evidence, Reading, events, read
from fixtures.evidence.events import KINDS, Exchanged, PhaseMarked, from_json, to_json
from fixtures.evidence.redaction import Private
from fixtures.evidence.storage import UNWRITABLE, writing
from tests.unit.report import synthetic
from tests.unit.waiting import ROOT

PRIVATE = Private(home="/home/alice", literals=("hunter2-hunter2", "gpu-node-17"))
IDLE = PhaseMarked("idle")


def test_every_kind_of_event_comes_back_the_same() -> None:
    own = {name for name, kind in KINDS.items() if kind.__module__ == events.__name__}
    assert own == {type(entry.event).__name__ for entry in synthetic.LOG}
    for entry in synthetic.LOG:
        assert from_json(json.loads(json.dumps(to_json(entry)))) == entry


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    ticks = itertools.count(100)
    moment = datetime(2026, 11, 22, 16, 47, 45, tzinfo=timezone.utc)
    return Evidence(tmp_path, clock=lambda: float(next(ticks)), now=lambda: moment, private=PRIVATE)


def test_events_are_on_disk_at_once_and_come_back_with_their_moment(evidence: Evidence) -> None:
    evidence.append(IDLE)
    assert (evidence.folder / EVENTS_FILE).read_bytes().endswith(b'"phase": "idle"}\n')
    evidence.append(PhaseMarked("加载"))
    log = read(evidence.folder)
    assert [entry.event for entry in log] == [IDLE, PhaseMarked("加载")]
    assert [entry.t for entry in log] == [1.0, 2.0]
    assert log[0].at == "2026-11-22T16:47:45.000+00:00"


def test_line_cut_short_is_left_out_and_a_bad_one_is_an_error(evidence: Evidence) -> None:
    evidence.append(IDLE)
    file = evidence.folder / EVENTS_FILE
    whole = file.read_text()
    file.write_text(whole + whole[:-5])
    assert len(read(evidence.folder)) == 1
    for bad in (
        whole[:-5] + "\n" + whole,
        "[]\n",
        whole.replace("PhaseMarked", "Unheard"),
        whole.replace("phase", "more"),
    ):
        file.write_text(whole + bad)
        with pytest.raises(ValueError, match=r"events\.jsonl, line 2"):
            read(evidence.folder)


def test_growing_log_is_read_on_from_where_the_last_look_stopped(evidence: Evidence) -> None:
    reading = Reading(evidence.folder)
    assert (reading.grown, reading.entries()) == (False, [])
    evidence.append(IDLE)
    assert reading.grown
    (first,) = reading.entries()
    assert not reading.grown
    file = evidence.folder / EVENTS_FILE
    whole = file.read_text()
    with file.open("a") as half:
        half.write(whole[:20])
    assert reading.entries() == [first], "half a line is none yet"
    with file.open("a") as half:
        half.write(whole[20:])
    assert reading.entries() == [first, first]
    assert reading.entries()[0] is first, "parsed once"


WRITES = """
import sys
from pathlib import Path
from threading import Thread
from fixtures.evidence.events import PhaseMarked
from fixtures.evidence import Evidence

log = Evidence(Path(sys.argv[1]), worker=sys.argv[2], began=float(sys.argv[3]))
halves = [Thread(target=lambda: [log.append(PhaseMarked("x" * 30_000)) for _ in range(100)]) for _ in range(2)]
for half in halves:
    half.start()
for half in halves:
    half.join()
log.close()
"""


def test_several_processes_and_threads_write_one_log(tmp_path: Path) -> None:
    began = time.monotonic()
    workers = [
        subprocess.Popen([sys.executable, "-c", WRITES, str(tmp_path), name, str(began)], cwd=ROOT)
        for name in ("gw0", "gw1")
    ]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    entries = read(tmp_path)
    for name in ("gw0", "gw1"):
        moments = [entry.t for entry in entries if entry.worker == name]
        assert len(moments) == 200
        assert moments == sorted(moments)
    assert 0 < min(entry.t for entry in entries) <= max(entry.t for entry in entries) <= time.monotonic() - began


def test_nothing_private_reaches_the_disk(evidence: Evidence) -> None:
    request = {"messages": [{"content": "read /home/alice/notes/a.txt"}], "/home/alice/key/k": 1}
    evidence.append(
        Exchanged("t", "/v1/chat/completions", request, None, ["hunter2-hunter2"], 0.1, "cannot open /home/alice/x/y")
    )
    text = (evidence.folder / EVENTS_FILE).read_text()
    assert "alice" not in text
    assert "hunter2" not in text
    assert "/v1/chat/completions" in text


def test_file_of_another_process_is_made_publishable(tmp_path: Path) -> None:
    evidence = Evidence(tmp_path, private=PRIVATE)
    log = tmp_path / "server.log"
    log.write_bytes(b"reads /home/alice/m\r\nhunter2-hunter2 \xff\xfe\nlast")
    log.chmod(0o640)
    evidence.publish(log)
    assert log.read_bytes() == "reads …/m\r\n[redacted] ".encode() + b"\xff\xfe\nlast"
    assert log.stat().st_mode & 0o777 == 0o640
    assert {file.name for file in tmp_path.iterdir()} == {EVENTS_FILE, "server.log"}
    evidence.publish(tmp_path / "never written.log")


@pytest.mark.parametrize("number", sorted(UNWRITABLE), ids=errno.errorcode.get)
def test_disk_that_refuses_is_told_with_the_option(number: int) -> None:
    with pytest.raises(StorageError) as caught, writing(Path("/somewhere/work"), "--work-dir"):
        raise OSError(number, os.strerror(number))
    assert caught.value.fields == {"option": "--work-dir", "problem": os.strerror(number)}
    assert caught.value.where == "--work-dir work"


@pytest.mark.parametrize(
    ("number", "path", "id_"),
    [
        (errno.EACCES, "models/weights", "path_refused"),
        (errno.EPERM, "work/quantized/x", "folder_refused"),
        (errno.EACCES, ".", "folder_refused"),  # in which the folder itself was to be made
        (errno.ENOSPC, "cache/x", "path_unwritable"),
        (errno.ENOSPC, "work/x", "folder_unwritable"),
    ],
)
def test_path_that_was_refused_is_blamed_and_no_other(number: int, path: str, id_: str, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir(mode=0o700)
    with pytest.raises(StorageError) as caught, writing(tmp_path / "work", "--work-dir"):
        raise OSError(number, os.strerror(number), str(tmp_path / path))
    assert caught.value.id == id_
    told = str(caught.value)
    assert ("--work-dir" in told) == id_.startswith("folder")
    if number != errno.ENOSPC:
        assert all(word in told for word in (str(tmp_path / path), "drwx------", "this run is"))


def test_error_that_is_none_of_the_disks_comes_through() -> None:
    with pytest.raises(FileNotFoundError), writing(Path("/somewhere"), "--work-dir"):
        Path("/somewhere/else").read_text()
