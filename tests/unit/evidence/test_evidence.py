"""The log of events: on disk at once, whatever is in it, and nothing in it that must not be published."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from unittest.mock import Mock

import pytest

from fixtures.evidence import EVENTS_FILE, Evidence, Reading, read, redaction
from fixtures.evidence.events import Exchanged, Measured, PhaseMarked, RunFinished, TryJudged
from fixtures.evidence.log import TRIALS_FILE
from fixtures.evidence.redaction import NOTHING_PRIVATE, REDACTED, Private, redact, redact_file, without_secrets
from fixtures.evidence.seal import REPORT_FILE, SEAL_FILE, derived, seal, verify
from fixtures.report.summary import summarize
from tests.unit.report import synthetic

ROOT = Path(__file__).parents[3]

PRIVATE = Private(home="/home/alice", literals=("hunter2-hunter2", "gpu-node-17"))


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    ticks = itertools.count(100)
    moment = datetime(2026, 11, 22, 16, 47, 45, tzinfo=timezone.utc)
    return Evidence(tmp_path, clock=lambda: float(next(ticks)), now=lambda: moment, private=PRIVATE)


def test_events_come_back_with_their_moment(evidence: Evidence) -> None:
    evidence.append(PhaseMarked("idle"))
    evidence.append(PhaseMarked("加载"))
    log = read(evidence.folder)
    assert [entry.event for entry in log] == [PhaseMarked("idle"), PhaseMarked("加载")]
    assert [entry.t for entry in log] == [1.0, 2.0]
    assert log[0].at == "2026-11-22T16:47:45.000+00:00"


def test_a_line_is_on_disk_when_append_returns(evidence: Evidence) -> None:
    evidence.append(PhaseMarked("idle"))
    assert (evidence.folder / EVENTS_FILE).read_bytes().endswith(b'"phase": "idle"}\n')


def test_a_line_cut_short_is_left_out_and_a_bad_one_is_an_error(evidence: Evidence) -> None:
    evidence.append(PhaseMarked("idle"))
    file = evidence.folder / EVENTS_FILE
    whole = file.read_text()
    file.write_text(whole + whole[:-5])
    assert len(read(evidence.folder)) == 1
    file.write_text(whole + whole[:-5] + "\n" + whole)
    with pytest.raises(ValueError, match=r"events\.jsonl, line 2"):
        read(evidence.folder)
    file.write_text(whole + "[]\n")
    with pytest.raises(ValueError, match="line 2"):
        read(evidence.folder)


def test_a_growing_log_is_read_on_from_where_the_last_look_stopped(evidence: Evidence) -> None:
    reading = Reading(evidence.folder)
    assert (reading.grown, reading.entries()) == (False, [])
    evidence.append(PhaseMarked("idle"))
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
    with file.open("a") as bad:
        bad.write("[]\n")
    with pytest.raises(ValueError, match="line 3"):
        reading.entries()


def test_several_threads_may_append(tmp_path: Path) -> None:
    evidence = Evidence(tmp_path, private=NOTHING_PRIVATE)
    threads = [
        threading.Thread(target=lambda: [evidence.append(PhaseMarked("x" * 2000)) for _ in range(50)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = read(tmp_path)
    assert len(log) == 200
    assert [entry.t for entry in log] == sorted(entry.t for entry in log)


def test_a_closed_log_takes_no_more(evidence: Evidence) -> None:
    evidence.close()
    with pytest.raises(ValueError, match="closed"):
        evidence.append(PhaseMarked("late"))


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError


class Item:
    pass


Item.__module__ = "numpy"
Item.tolist = lambda _: 3.5  # type: ignore[attr-defined]

ENDLESS: list[object] = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", "a"}), ["a", "b"]),
        ((1, 2), [1, 2]),
        (b"\xff\x00", "\ufffd\x00"),
        ("\ud800 lone", "\ud800 lone"),
        ("\u2028 separator", "\u2028 separator"),
        ({1: float("nan"), None: {"x": float("inf")}}, {"1": "NaN", "None": {"x": "Infinity"}}),
        (Path("a/b"), "a/b"),
        (Item(), 3.5),
        (Broken(), "<Broken: RuntimeError in repr>"),
        (True, True),
        (2**70, 2**70),
    ],
)
def test_no_value_is_too_odd_to_be_kept(evidence: Evidence, value: object, kept: object) -> None:
    evidence.append(Measured("c", "n", value))
    (entry,) = read(evidence.folder)
    assert isinstance(entry.event, Measured)
    assert entry.event.value == kept
    assert type(entry.event.value) is type(kept)


def test_an_integer_too_long_to_print_is_kept_in_hexadecimal(evidence: Evidence) -> None:
    evidence.append(Measured("c", "n", 1 << 20_000))
    (entry,) = read(evidence.folder)
    assert isinstance(entry.event, Measured)
    assert int(entry.event.value, 16) == 1 << 20_000


def test_endless_values_end(evidence: Evidence) -> None:
    evidence.append(Measured("c", "n", ENDLESS))
    assert "[...]" in (evidence.folder / EVENTS_FILE).read_text()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("--work-dir /root/models/x-4bit/", "--work-dir …/x-4bit/"),
        ("--work-dir=/data/team/bob/x", "--work-dir=…/x"),
        ("/home/alice/models/m", "…/m"),
        ("cd /home/alice && ls", "cd ~ && ls"),
        ("cd /home/bob", "cd ~"),
        ("~/models/m and ~bob/models/m", "…/m and …/m"),
        ('File "/opt/conda/lib/x.py", line 3', 'File "…/x.py", line 3'),
        ("在/root/models/模型 里", "在…/模型 里"),
        ("'a\\n/root/a/b'", "'a\\n…/b'"),
        ("file:///home/bob/r.html", "file://…/r.html"),
        (r"C:\Users\Bob\x.txt", "…/x.txt"),
        ('{"path": "C:\\\\\\\\Users\\\\\\\\Bob\\\\\\\\x.txt"}'.replace("\\\\\\\\", "\\\\"), '{"path": "…/x.txt"}'),
        ("token hf_abcdefghijklmnopqrst", f"token {REDACTED}"),
        ("sk-abcdefghijklmnopqrst", REDACTED),
        ("ghp_abcdefghijklmnopqrstuv", REDACTED),
        ("Authorization: Bearer abcdefghijk", f"Authorization: Bearer {REDACTED}"),
        ("x-api-key: abcdefghijk", f"x-api-key: {REDACTED}"),
        ("http://bob:pw@proxy/x", "http://proxy/x"),
        ("password hunter2-hunter2!", f"password {REDACTED}!"),
        ("on gpu-node-17", f"on {REDACTED}"),
    ],
)
def test_what_must_not_be_published(text: str, shown: str) -> None:
    assert redact(text, PRIVATE) == shown


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:23333/v1/chat/completions",
        "/v1/chat/completions",
        "and/or, 3/4/5, a/b/c",
        "</div></a/b>",
        "<|im_start|>user\n从前有一只狐狸",
        "12612MiB / 24564MiB",
        r"(?P<used>\d+)\s*(?:MiB)?\s*/\s*(?P<total>\d+)",
        "/dev/shm/x",
        "MIT/X11",
        "8*2=16",
    ],
)
def test_what_is_left_alone(text: str) -> None:
    assert redact(text, PRIVATE) == text


@pytest.mark.parametrize(
    ("part", "times"), [("/a", 200_000), ("eyJaaaaaaaaaaa.", 20_000), ("://a", 100_000), ("C:\\a\\", 50_000)]
)
def test_hostile_text_takes_no_time(part: str, times: int) -> None:
    started = time.monotonic()
    redact(part * times, PRIVATE)
    assert time.monotonic() - started < 10  # a quadratic rule takes minutes


def test_private_texts_of_this_machine() -> None:
    found = Private.of_this_machine(
        {"HF_TOKEN": "0123456789", "API_KEY": "short", "PATH": "/usr/bin:/bin", "XAUTHORITY": "/tmp/.x", "LANG": "C"}
    )
    assert "0123456789" in found.literals
    assert not {"short", "/usr/bin:/bin", "/tmp/.x", "C"} & set(found.literals)


def test_a_value_of_eight_characters_is_a_secret_and_a_longer_one_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.node", lambda: "eighteen")
    found = Private.of_this_machine(
        {"A_TOKEN": "12345678", "B_TOKEN": "1234567", "C_TOKEN": "12345678-and-more"}, keys=["87654321"]
    )
    assert set(found.literals) == {"12345678", "12345678-and-more", "87654321", "eighteen"}
    assert found.literals[0] == "12345678-and-more"
    assert without_secrets("12345678-and-more", found) == REDACTED


def test_the_environment_and_the_home_folder_are_this_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "of-this-machine")
    found = Private.of_this_machine()
    assert "of-this-machine" in found.literals
    assert found.home == str(Path.home())


def test_a_user_without_a_home_folder_has_none_to_hide(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", homeless)
    assert Private.of_this_machine({}).home == ""


def test_keys_are_private_unless_they_are_everyday_words() -> None:
    found = Private.of_this_machine({}, keys=["EMPTY", "key-of-this-run"])
    assert "key-of-this-run" in found.literals
    assert "EMPTY" not in found.literals
    assert without_secrets("key-of-this-run in /home/alice/x", found) == f"{REDACTED} in /home/alice/x"


def test_a_file_of_another_process_is_made_publishable(tmp_path: Path) -> None:
    evidence = Evidence(tmp_path, private=PRIVATE)
    log = tmp_path / "server.log"
    log.write_bytes(b"reads /home/alice/m\r\nhunter2-hunter2 \xff\xfe\nlast")
    log.chmod(0o640)
    evidence.publish(log)
    assert log.read_bytes() == b"reads ~/m\r\n[redacted] \xff\xfe\nlast".replace(b"~/m", "…/m".encode())
    assert log.stat().st_mode & 0o777 == 0o640
    assert {file.name for file in tmp_path.iterdir()} == {EVENTS_FILE, "server.log"}
    evidence.publish(tmp_path / "never written.log")


def test_a_file_that_cannot_be_rewritten_stays_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "server.log"
    log.write_text("one\ntwo\n")
    monkeypatch.setattr(redaction, "redact", Mock(side_effect=["one\n", OSError("no space left on device")]))
    with pytest.raises(OSError, match="no space"):
        redact_file(log, PRIVATE)
    assert log.read_text() == "one\ntwo\n"
    assert list(tmp_path.iterdir()) == [log]


def test_nothing_private_reaches_the_disk(evidence: Evidence) -> None:
    evidence.append(
        Exchanged(
            test="t",
            path="/v1/chat/completions",
            request={"messages": [{"content": "read /home/alice/notes/a.txt"}], "/home/alice/key/k": 1},
            status=None,
            response=["hunter2-hunter2"],
            seconds=0.1,
            error="cannot open /home/alice/x/y",
        )
    )
    text = (evidence.folder / EVENTS_FILE).read_text()
    assert "alice" not in text
    assert "hunter2" not in text
    assert "/v1/chat/completions" in text


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    folder = synthetic.write(tmp_path / "run", synthetic.entries())
    run = summarize(read(folder))
    (folder / REPORT_FILE).write_text(derived(folder, run), encoding="ascii")
    (folder / "report.html").write_text("<html>accepted</html>")
    seal(folder)
    return folder


def test_an_untouched_folder(sealed: Path) -> None:
    check = verify(sealed)
    assert check.problems == ()
    assert check.run is not None
    assert check.run.verdict.accepted


DOCS = Path(__file__).parents[3] / "docs"
PUBLISHED = sorted(path.parent for kept in ("reports", "gpus") for path in (DOCS / kept).glob(f"*/{SEAL_FILE}"))


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda folder: folder.name)
def test_published_reports_still_follow_from_their_events(folder: Path) -> None:
    assert verify(folder).problems == ()


def test_a_moved_folder_is_untouched(sealed: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(sealed, tmp_path / "elsewhere")
    assert verify(moved).problems == ()


@pytest.fixture
def tried(tmp_path: Path) -> Path:
    """A sealed run with trials at a claim, 2 of 3 right, and their record."""
    log = synthetic.entries()
    last = log.pop()
    tries = [TryJudged("tools.add_trials", number, number > 1, "", [], "8") for number in (1, 2, 3)]
    log += [replace(last, event=event) for event in (*tries, last.event)]
    folder = synthetic.write(tmp_path / "tried", log)
    (folder / REPORT_FILE).write_text(derived(folder, summarize(read(folder))), encoding="ascii")
    (folder / TRIALS_FILE).write_text('{"claims": [{"claim": "tools.add_trials", "k": 2, "n": 3}]}')
    (folder / "pictures").mkdir()
    seal(folder)
    return folder


def test_the_record_of_trials_is_sealed(tried: Path) -> None:
    assert verify(tried).problems == ()
    (tried / TRIALS_FILE).unlink()
    assert verify(tried).problems == (f"{TRIALS_FILE}: missing",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"claims": [{"claim": "tools.add_trials", "k": 3, "n": 3}]}', "3 of 3 right, and events.jsonl has 2 of 3"),
        ('{"claims": [{"claim": "tools.add_trials", "k": 2, "n": 2}]}', "2 of 2 right, and events.jsonl has 2 of 3"),
        ('{"claims": [{"claim": "tools.chain", "k": 1, "n": 1}]}', "1 of 1 right, and events.jsonl has 1 of 2"),
        ('{"claims": [{"claim": "tools.add_trials"}]}', "cannot be read: KeyError('k')"),
        ("[]", "cannot be read: TypeError"),
    ],
)
def test_a_record_of_trials_sealed_anew_must_still_follow_from_the_events(text: str, problem: str, tried: Path) -> None:
    (tried / TRIALS_FILE).write_text(text)
    assert f"{TRIALS_FILE}: edited after it was sealed" in verify(tried).problems
    seal(tried)
    (found,) = verify(tried).problems
    assert found.startswith(f"{TRIALS_FILE}: ")
    assert problem in found


@pytest.mark.parametrize("name", [EVENTS_FILE, REPORT_FILE, "report.html"])
def test_one_changed_character_is_noticed(sealed: Path, name: str) -> None:
    file = sealed / name
    text = file.read_text()
    file.write_text(text.replace("accepted", "accepteD", 1).replace("3fa1", "3fa2"))
    assert file.read_text() != text
    assert f"{name}: edited after it was sealed" in verify(sealed).problems


@pytest.mark.parametrize("name", [EVENTS_FILE, REPORT_FILE, "report.html", SEAL_FILE])
def test_a_missing_file_is_noticed(sealed: Path, name: str) -> None:
    (sealed / name).unlink()
    assert verify(sealed).problems


def test_a_report_sealed_anew_must_still_follow_from_the_events(sealed: Path) -> None:
    file = sealed / REPORT_FILE
    value = json.loads(file.read_text())
    value["memory"]["peak_mib"] = 1
    file.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")
    seal(sealed)
    (problem,) = verify(sealed).problems
    assert "does not follow from events.jsonl" in problem


def test_the_verdict_is_that_of_the_raw_events(sealed: Path) -> None:
    log = read(sealed)
    failed = [entry for entry in log if not isinstance(entry.event, RunFinished)]
    synthetic.write(sealed, failed)
    check = verify(sealed)
    assert check.run is not None
    assert check.run.verdict.outcome == "not_accepted"
    assert check.problems


@pytest.mark.parametrize("text", ["", "{", "[]\n", '{"sha256": []}', '{"sha256": {"../x": "y"}}', '{"sha256": {}}'])
def test_a_seal_that_is_none(sealed: Path, text: str) -> None:
    (sealed / SEAL_FILE).write_text(text)
    assert verify(sealed).problems


@pytest.mark.parametrize(
    "text", ["nonsense\n", '{"kind": "RunStarted"}\n', '{"kind": "VramSampled", "t": 1, "at": "", "samples": [[1]]}\n']
)
def test_events_that_are_none(sealed: Path, text: str) -> None:
    (sealed / EVENTS_FILE).write_text(text)
    assert verify(sealed).problems


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "fixtures.evidence", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=30, check=False)


def test_the_program_says_ok_or_edited(sealed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = program("verify", str(sealed))
    assert (done.returncode, done.stderr) == (0, "")
    assert "ACCEPTED" in done.stdout
    assert "ok: the report follows from the raw events" in done.stdout
    (sealed / "report.html").write_text("<html>better</html>")
    done = program("verify", str(sealed))
    assert done.returncode == 1
    assert "report.html: edited after it was sealed" in done.stdout
    assert "EDITED or incomplete" in done.stdout
    from fixtures.evidence.__main__ import main

    assert main(["verify", str(sealed / "nowhere")]) == 1
    assert main(["report", str(sealed)]) == 2
    assert "sealed" in capsys.readouterr().err


def test_the_program_reports_on_a_killed_run(tmp_path: Path) -> None:
    folder = synthetic.write(tmp_path / "run", synthetic.entries()[:-1])
    done = program("report", str(folder))
    assert done.returncode == 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "NOT ACCEPTED" in page
    assert "the run was killed" in page
    assert synthetic.STORY[:20] in page


WRITES = """
import sys, time
from pathlib import Path
from fixtures.evidence.events import PhaseMarked
from fixtures.evidence import Evidence

log = Evidence(Path(sys.argv[1]), worker=sys.argv[2], began=float(sys.argv[3]))
for number in range(200):
    log.append(PhaseMarked(f"{number} " + "x" * 30_000))
log.close()
"""


def test_several_processes_write_one_log(tmp_path: Path) -> None:
    began = time.monotonic()
    workers = [
        subprocess.Popen([sys.executable, "-c", WRITES, str(tmp_path), name, str(began)], cwd=ROOT)
        for name in ("gw0", "gw1")
    ]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    entries = read(tmp_path)
    for name in ("gw0", "gw1"):
        own = [entry for entry in entries if entry.worker == name]
        assert [entry.event.phase.partition(" ")[0] for entry in own] == [str(number) for number in range(200)]
    assert 0 < min(entry.t for entry in entries) <= max(entry.t for entry in entries) <= time.monotonic() - began


def test_a_log_of_one_process_does_not_speak_of_workers(evidence: Evidence) -> None:
    evidence.append(PhaseMarked("idle"))
    assert "worker" not in json.loads((evidence.folder / EVENTS_FILE).read_text())
