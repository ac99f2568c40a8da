"""What must not be published is left out, and nothing else."""

import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from fixtures.evidence import redaction
from fixtures.evidence.redaction import REDACTED, Private, redact, redact_file, without_secrets
from tests.unit.evidence.test_log import PRIVATE


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("--work-dir /root/models/x-4bit/", "--work-dir …/x-4bit/"),
        ("/home/alice/models/m", "…/m"),
        ("cd /home/alice && ls", "cd ~ && ls"),
        ("~/models/m and ~bob/models/m", "…/m and …/m"),
        ('File "/opt/conda/lib/x.py", line 3', 'File "…/x.py", line 3'),
        ("在/root/models/模型 里", "在…/模型 里"),
        ("'a\\n/root/a/b'", "'a\\n…/b'"),
        ("file:///home/bob/r.html", "file://…/r.html"),
        (r"C:\Users\Bob\x.txt", "…/x.txt"),
        (r'{"path": "C:\\Users\\Bob\\x.txt"}', '{"path": "…/x.txt"}'),
        ("token hf_abcdefghijklmnopqrst", f"token {REDACTED}"),
        ("sk-abcdefghijklmnopqrst", REDACTED),
        ("Authorization: Bearer abcdefghijk", f"Authorization: Bearer {REDACTED}"),
        ("x-api-key: abcdefghijk", f"x-api-key: {REDACTED}"),
        ("http://bob:pw@proxy/x", "http://proxy/x"),
        ("password hunter2-hunter2!", f"password {REDACTED}!"),
    ],
)
def test_private_text_is_left_out(text: str, shown: str) -> None:
    assert redact(text, PRIVATE) == shown


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:23333/v1/chat/completions", "/v1/chat/completions", "and/or, 3/4/5, a/b/c", "</div></a/b>",
        "<|im_start|>user\n从前有一只狐狸", "12612MiB / 24564MiB", "/dev/shm/x", "MIT/X11", "8*2=16",
        r"(?P<used>\d+)\s*(?:MiB)?\s*/\s*(?P<total>\d+)",
    ],
)  # fmt: skip
def test_other_text_is_left_alone(text: str) -> None:
    assert redact(text, PRIVATE) == text


@pytest.mark.parametrize(
    ("part", "times"), [("/a", 200_000), ("eyJaaaaaaaaaaa.", 20_000), ("://a", 100_000), ("C:\\a\\", 50_000)]
)
def test_hostile_text_takes_no_time(part: str, times: int) -> None:
    started = time.monotonic()
    redact(part * times, PRIVATE)
    assert time.monotonic() - started < 10  # a quadratic rule takes minutes


def test_secrets_of_the_environment_are_private_and_everyday_words_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.node", lambda: "eighteen")
    environment = {"A_TOKEN": "12345678", "B_TOKEN": "1234567", "C_TOKEN": "12345678-and-more", "API_KEY": "short",
                   "PATH": "/usr/bin:/bin", "XAUTHORITY": "/tmp/.x", "LANG": "C"}  # fmt: skip
    found = Private.of_this_machine(environment, keys=["87654321", "EMPTY"])
    assert set(found.literals) == {"12345678", "12345678-and-more", "87654321", "eighteen"}
    assert without_secrets("12345678-and-more in /x/y", found) == f"{REDACTED} in /x/y", "the longest goes first"


def test_machine_without_a_home_folder_has_none_to_hide(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Private.of_this_machine({}).home == str(Path.home())
    monkeypatch.setattr(Path, "home", Mock(side_effect=RuntimeError("no home")))
    assert Private.of_this_machine({}).home == ""


def test_file_that_cannot_be_rewritten_stays_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "server.log"
    log.write_text("one\ntwo\n")
    monkeypatch.setattr(redaction, "redact", Mock(side_effect=["one\n", OSError("no space left on device")]))
    with pytest.raises(OSError, match="no space"):
        redact_file(log, PRIVATE)
    assert log.read_text() == "one\ntwo\n"
    assert list(tmp_path.iterdir()) == [log]
