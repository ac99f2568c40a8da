"""Whatever becomes of a run, its evidence and its report say so."""

import errno
import json
import os
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.errors import CheckpointError, SettingsError
from fixtures.evidence import read
from fixtures.evidence.events import ClaimsSelected, RunFinished, RunStarted, TestFinished
from fixtures.evidence.seal import broken
from fixtures.model.whole.files import reading
from fixtures.report.plugin import put_aside
from fixtures.report.verification import verify
from fixtures.session import recording
from fixtures.session.environment import git_state
from fixtures.suites import HOMEWORK, Suite
from tests.unit.pytest_processes import run
from tests.unit.small_suite import SmallSuite, suite

SUITES = (
    HOMEWORK,
    Suite("beside", "beside: may join the homework"),
    Suite("alone", "alone: on a GPU, in a run of its own", rehearsed=False, beside_homework=False),
    Suite("unjudged", "unjudged: has no verdict", judged=False),
)


@pytest.mark.parametrize(
    ("expression", "rehearse", "judged"),
    [
        ("gpu", False, "homework"),
        ("gpu and not alone", False, "homework"),
        ("gpu or unjudged", False, "homework"),
        ("beside", True, "beside"),
        ("gpu and beside", False, "beside"),
        ("gpu or beside", False, "homework"),
        ("beside or unjudged", False, "beside"),
        ("not gpu", True, "homework"),
        ("not gpu", False, None),
        ("gpu and", False, None),
        ("alone", False, "alone"),
        ("unjudged", False, None),
        ("gpu or alone", False, re.compile("run `-m alone` alone$")),
        ("alone", True, re.compile("alone, and without --rehearse")),
        ("beside or alone", False, re.compile("run `-m alone` alone$")),
    ],
)
def test_mark_expression_says_which_suite_is_judged_or_that_they_cannot_share_a_run(
    monkeypatch: pytest.MonkeyPatch, expression: str, rehearse: bool, judged: str | re.Pattern[str] | None
) -> None:
    monkeypatch.setattr(recording, "suites", lambda: {suite.id: suite for suite in SUITES})
    config: Any = SimpleNamespace(option=SimpleNamespace(markexpr=expression))
    settings: Any = SimpleNamespace(rehearse=rehearse)
    if isinstance(judged, re.Pattern):
        with pytest.raises(SettingsError, match=judged):
            recording.suite_of(config, settings)
        return
    found = recording.suite_of(config, settings)
    assert (found.id if found else None) == judged


def test_git_state_names_the_commit_and_notices_changes(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    assert git_state(tmp_path) == ("", False)
    git("init")
    (tmp_path / "pytest.ini").touch()
    assert git_state(tmp_path) == ("", False)
    git("add", ".")
    git("commit", "-m", "x")
    (tmp_path / "notes.txt").write_text("not the suite's")
    commit, dirty = git_state(tmp_path)
    assert (len(commit), dirty) == (40, False)
    (tmp_path / "pytest.ini").write_text("2")
    assert git_state(tmp_path) == (commit, True)


def test_run_in_which_everything_passes_is_accepted(small_suite: SmallSuite) -> None:
    model, token = "/home/alice/models/internlm2_5-1_8b-chat", "not-to-be-seen"
    prints = "print('/home/alice/secret/notes', os.environ['HF_TOKEN'])"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HF_TOKEN", token)
        environment.setenv("BUILD_TAG", "jenkins-of-alice")  # pytest-metadata would show it
        options = ("--checkpoint", model, "--metadata", "<b>x</b>", "<script>alert(1)</script>")
        result = small_suite.run(suite({"tools.add": prints}), *options)
    assert result.ret == 0
    assert small_suite.verdict.accepted, small_suite.verdict.reasons
    assert "验收通过" in small_suite.page
    assert "验收通过" in result.stdout.str()
    log = [entry.event for entry in read(small_suite.folder)]
    started, ended = log[0], log[-1]
    assert isinstance(started, RunStarted)
    assert (started.run_id, started.argv[0]) == (small_suite.folder.name, "pytest")
    assert started.settings["checkpoint"] == "internlm2_5-1_8b-chat"
    assert ended == RunFinished(0, 15)
    (selected,) = [event for event in log if isinstance(event, ClaimsSelected)]
    assert (selected.selected[0], selected.selected[-1]) == ("environment.recorded", "vram.released")
    assert (selected.tests, selected.deselected) == (15, [])
    assert sum(isinstance(event, TestFinished) for event in log) == 3 * 15
    for file in small_suite.folder.iterdir():
        content = file.read_text(encoding="utf-8")
        for private in ("alice", token, str(small_suite.path)):
            assert private not in content, f"{private} in {file.name}"
    assert "<script>alert(1)" not in small_suite.page
    assert broken(small_suite.folder) == []


def test_run_that_judges_nothing_leaves_no_evidence(small_suite: SmallSuite) -> None:
    (small_suite.path / "test_unit.py").write_text("def test_it(): pass\ndef test_that(evidence): pass")
    result = run(small_suite.path, "--report-lang", "en")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*this run keeps no evidence*", "*what to do: select the acceptance tests*"])
    small_suite.run(suite(), "--collect-only")
    assert small_suite.run(suite(), "--quant-policy", "5").ret == pytest.ExitCode.USAGE_ERROR
    assert not (small_suite.path / "evidence").exists()
    result = small_suite.run(suite(), "--evidence-dir", "/proc/nowhere")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --evidence-dir 的目录无法写入*"])
    result = small_suite.run(suite(), "--evidence-dir", "/proc/nowhere", "--report-lang", "en")
    result.stderr.fnmatch_lines(["ERROR: the folder of --evidence-dir cannot be written*"])


def test_error_that_stops_several_tests_is_told_once_and_without_a_traceback(small_suite: SmallSuite) -> None:
    stop = "from fixtures.errors import GpuError; raise GpuError('no_evidence', where='NVML', mark='plugged in')"
    bodies = dict.fromkeys(("chat.replies_in_chinese", "tools.add", "vram.peak"), stop)
    said = small_suite.run(suite(bodies), "--report-lang", "en").stdout.str()
    assert said.count("  what to do: select the acceptance tests with `-m plugged in`") == 1
    assert said.count("so nothing in it can be judged (as above)") == 2
    assert "def test_tools_add" not in said
    reasons = small_suite.verdict.reasons[:3]
    assert [reason.detail["id"] for reason in reasons] == ["error.no_evidence"] * 3
    assert "def test_tools_add" not in small_suite.page


@pytest.mark.parametrize(
    ("error", "is_limit"),
    [
        (OSError(errno.EMFILE, "Too many open files", "/m/config.json"), True),
        (ImportError("libopenblas.so: cannot open shared object file: Too many open files"), True),
        (OSError(errno.EIO, "Input/output error"), False),
        (ImportError("No module named 'numpy'"), False),
    ],
)
def test_limit_of_open_files_is_named_whatever_ran_into_it(error: Exception, is_limit: bool, tmp_path: Path) -> None:
    assert (getattr(recording.named(error), "id", "") == "too_many_files") == is_limit
    if isinstance(error, OSError):
        with pytest.raises(OSError if is_limit else CheckpointError), reading(tmp_path):
            raise error


def test_every_way_not_to_pass_is_named(small_suite: SmallSuite) -> None:
    module = suite(
        {
            "environment.recorded": "pytest.skip('no time')",
            "quantization.smaller": "pytest.xfail('known')",
            "tools.add": "assert 3 + 5 == 9, 'the sum is wrong'",
        },
        without=("tools.chain",),
    )
    module = module.replace("declared('quantization.config'))", "declared('quantization.config'))\n@pytest.mark.xfail")
    unmeasured = 'def test_chat_does_not_loop(deployment, measure):\n    measure("size", 1, "MiB", at_most=2)'
    module = module.replace(unmeasured, "def test_chat_does_not_loop(deployment):")
    module += (
        "\n@pytest.fixture(autouse=True)\ndef f(request):\n    yield\n    assert 'peak' not in request.node.name\n"
    )
    result = small_suite.run(module, "-k", "not multiply", "--report-lang", "en")
    assert result.ret == 1
    assert [(reason.code, reason.claim) for reason in small_suite.verdict.reasons] == [
        ("claim_failed", "tools.add"),
        ("claim_failed", "vram.peak"),
        ("claim_skipped", "environment.recorded"),
        ("claim_xfailed", "quantization.smaller"),
        ("claim_xpassed", "quantization.config"),
        ("claim_not_measured", "chat.does_not_loop"),
        ("claim_deselected", "tools.multiply"),
        ("claim_not_collected", "tools.chain"),
        ("exit_status", ""),
    ]
    assert "NOT ACCEPTED" in small_suite.page
    assert "the sum is wrong" in small_suite.page


@pytest.mark.parametrize(
    ("module", "arguments", "codes", "interrupted"),
    [
        (suite({"vram.released": "pytest.exit('enough', 0)"}), (), ["interrupted", "claim_unfinished", "tests_missing"],
         "interrupted.stopped"),
        (suite({"environment.recorded": "assert 0"}), ("-x",), ["interrupted", "claim_failed"], "interrupted.stopped"),
        (suite({"environment.recorded": "time.sleep(0.3)"}), ("--session-timeout", "0.2"), ["interrupted"],
         "interrupted.stopped"),
        (suite({"tools.add": "time.sleep(20)"}), ("--timeout", "0.3", "--timeout-method", "thread"), ["killed"], None),
        ("import nothing_of_that_name", (), ["interrupted"], "interrupted.stopped"),
        ("", (), ["claim_not_collected"], None),
        (suite(), ("-k", "not multiply"), ["claim_deselected"], None),
    ],
    ids=["exit", "stop-at-first", "session-timeout", "timeout", "import", "no-test", "deselected"],
)  # fmt: skip
def test_run_that_is_not_whole_is_not_accepted(
    small_suite: SmallSuite, module: str, arguments: tuple[str, ...], codes: list[str], interrupted: str | None
) -> None:
    small_suite.run(module, *arguments)
    assert small_suite.codes[: len(codes)] == codes
    assert "验收不通过" in small_suite.page
    end = [entry.event for entry in read(small_suite.folder)][-1]
    if isinstance(end, RunFinished):
        assert (end.interrupted["id"] if end.interrupted else None) == interrupted


def test_cause_of_a_usage_error_is_all_that_is_told(small_suite: SmallSuite) -> None:
    result = small_suite.run(suite(), "test_misspelt.py")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert small_suite.codes == ["refused"]
    assert "file or directory not found: test_misspelt.py" in small_suite.page
    assert "tools.add" not in result.stdout.str()
    result.stderr.fnmatch_lines(["ERROR: file or directory not found: test_misspelt.py"])


def test_killed_run_leaves_a_report_that_says_so(small_suite: SmallSuite) -> None:
    stale = small_suite.path / "mine.html"
    stale.write_text("<h1>ACCEPTED long ago</h1>")
    small_suite.run(suite({"tools.add": "os.kill(os.getpid(), signal.SIGKILL)"}), "--html", "mine.html")
    assert small_suite.codes[0] == "killed"
    page = stale.read_text(encoding="utf-8")
    assert "未完成" in page
    assert "验收不通过" in page
    assert not [old for old in ("long ago", "验收通过") if old in page]
    (kept,) = small_suite.path.glob("mine.html.*.bak")
    assert "long ago" in kept.read_text()
    lines = (small_suite.folder / "events.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["kind"] == "Measured", "every line is on disk at once"
    assert verify(small_suite.folder).problems, "a killed run has no seal"


def test_rehearsal_never_passes(small_suite: SmallSuite) -> None:
    skipped = dict.fromkeys(("vram.after_start", "vram.peak", "vram.released"), "pytest.skip('no GPU')")
    result = small_suite.run(suite(skipped), "--rehearse", "--report-lang", "en")
    assert result.ret == 0
    assert small_suite.verdict.outcome == "rehearsal"
    assert "REHEARSAL" in result.stdout.str()
    assert [file.name for file in small_suite.folder.iterdir() if "ACCEPTED" in file.read_text("utf-8")] == []


def test_device_is_nobodys_old_report(tmp_path: Path) -> None:
    pipe = tmp_path / "report.html"
    os.mkfifo(pipe)
    put_aside(pipe)
    assert pipe.exists()
