"""Whatever becomes of a run, its evidence and its report say so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.evidence import read
from fixtures.evidence.events import ClaimsSelected, RunFinished, RunStarted, TestFinished
from fixtures.report.plugin import put_aside
from fixtures.report.verification import verify
from fixtures.session.recording import git_state, new_run_id, selects, subject_of
from tests.unit.pytest_processes import run
from tests.unit.report.inner import Inner, inner, suite

__all__ = ["inner"]

START_TIMEOUT = 30.0
"""Seconds for a small pytest to reach its tests on a busy machine."""


@pytest.mark.parametrize(
    ("expression", "selected"),
    [
        ("gpu", True),
        ("not gpu", False),
        ("gpu and not slow", True),
        ("gpu and slow", False),
        ("slow or gpu", True),
        ("(gpu)", True),
        ('claim("tools.add")', True),
        ("not gpu and not claim", False),
        ("", True),
        ("True", True),
        ("gpu and", False),
        ("0", False),
    ],
)
def test_a_mark_expression_selects_acceptance_tests_or_not(expression: str, selected: bool) -> None:
    assert selects(expression, "gpu") is selected


@pytest.mark.parametrize(
    ("expression", "rehearse", "subject"),
    [
        ("gpu", False, "homework"),
        ("gpu and not ladder", False, "homework"),
        ("gpu or depth", False, "homework"),
        ("quality", False, "quality"),
        ("quality", True, "quality"),
        ("gpu and doors", False, "doors"),
        ("doors", True, "doors"),
        ("gpu or doors or quality", False, "homework"),
        ("doors or depth", False, "doors"),
        ("gpu and not quality", False, "homework"),
        ("not gpu", True, "homework"),
        ("not gpu", False, None),
        ("ladder", False, "ladder"),
        ("gpu and ladder", False, "ladder"),
        ("gpu_faults", False, None),
        ("gpu_faults", True, None),
    ],
)
def test_what_a_run_judges_follows_from_its_mark_expression(
    expression: str, rehearse: bool, subject: str | None
) -> None:
    assert subject_of(*configured(expression, rehearse)) == subject


@pytest.mark.parametrize(
    ("expression", "rehearse", "advice"),
    [
        ("gpu or ladder", False, "run `-m ladder` alone$"),
        ("ladder", True, "alone, and without --rehearse"),
        ("gpu or ladder", True, "alone, and without --rehearse"),
        ("ladder or doors", False, "run `-m doors` alone$"),
        ("doors or quality", False, "run `-m doors` alone; or add `or gpu`"),
    ],
)
def test_what_cannot_share_a_run_is_refused_with_what_to_do(expression: str, rehearse: bool, advice: str) -> None:
    with pytest.raises(pytest.UsageError, match=advice):
        subject_of(*configured(expression, rehearse))


def configured(expression: str, rehearse: bool) -> tuple[Any, Any]:
    option = SimpleNamespace(markexpr=expression)
    return SimpleNamespace(option=option), SimpleNamespace(rehearse=rehearse)


def test_run_ids_sort_by_time_and_differ_within_a_second() -> None:
    moment = datetime(2026, 11, 22, 16, 47, 45, tzinfo=timezone.utc)
    ids = {new_run_id(moment) for _ in range(20)}
    assert len(ids) > 1
    assert all(id_.startswith("20261122T164745Z-") and len(id_) == 21 for id_ in ids)


def test_git_state_names_the_commit_and_notices_changes(tmp_path: Path) -> None:
    assert git_state(tmp_path) == ("", False)

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "pytest.ini").touch()
    assert git_state(tmp_path) == ("", False)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "a.py").write_text("1")
    git("add", ".")
    git("commit", "-m", "x")
    commit, dirty = git_state(tmp_path)
    assert len(commit) == 40
    assert not dirty
    (tmp_path / "notes.txt").write_text("not the suite's")
    assert git_state(tmp_path) == (commit, False)
    (tmp_path / "tests" / "a.py").write_text("2")
    assert git_state(tmp_path) == (commit, True)


def test_a_run_in_which_everything_holds_is_accepted(inner: Inner) -> None:
    folder = "/home/alice/models/internlm2_5-1_8b-chat"
    result = inner.run(suite({"tools.add": "print('/home/alice/secret/notes')"}), "--checkpoint", folder)
    assert result.ret == 0
    assert inner.verdict.accepted, inner.verdict.reasons
    assert "验收通过" in inner.page
    assert "验收不通过" not in inner.page
    assert "验收通过" in result.stdout.str()
    assert "report.html" in result.stdout.str()
    log = read(inner.folder)
    started, ended = log[0].event, log[-1].event
    assert isinstance(started, RunStarted)
    assert started.run_id == inner.folder.name
    assert started.argv[0] == "pytest"
    assert started.settings["checkpoint"] == "internlm2_5-1_8b-chat"
    assert started.settings["quant_policy"] == 4
    assert isinstance(ended, RunFinished)
    assert (ended.exit_status, ended.tests_run, ended.interrupted) == (0, 15, "")
    (selected,) = [entry.event for entry in log if isinstance(entry.event, ClaimsSelected)]
    assert (selected.selected[0], selected.selected[-1]) == ("environment.recorded", "vram.released")
    assert (selected.tests, selected.deselected) == (15, [])
    assert sum(isinstance(entry.event, TestFinished) for entry in log) == 3 * 15
    for file in inner.folder.iterdir():
        content = file.read_text(encoding="utf-8")
        assert "alice" not in content, f"a user's name in {file.name}"
        assert str(inner.path) not in content, f"a folder in {file.name}"
    assert verify(inner.folder).problems == ()


def test_runs_that_judge_nothing_leave_no_evidence(inner: Inner) -> None:
    (inner.path / "test_unit.py").write_text("def test_it(): pass\ndef test_that(evidence): pass")
    result = run(inner.path)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*this run keeps no evidence*", "*what to do: select the acceptance tests*"])
    inner.run(suite(), "--collect-only")
    assert not (inner.path / "evidence").exists()


def test_an_error_that_stops_several_tests_is_told_in_full_once_on_the_console(inner: Inner) -> None:
    stop = "from fixtures.errors import GpuError; raise GpuError('no card', where='NVML', remedy='plug one in')"
    result = inner.run(suite(dict.fromkeys(("chat.replies_in_chinese", "tools.add", "vram.peak"), stop)))
    said = result.stdout.str()
    assert said.count("  what to do: plug one in") == 1
    assert said.count("no card (as above)") == 2
    assert inner.page.count("plug one in") == 4, "each row of the table has it, and the verdict once"
    assert [reason.detail for reason in inner.verdict.reasons[:3]] == [
        "no card\n  where: NVML\n  what to do: plug one in"
    ] * 3


def test_every_way_not_to_pass_is_named(inner: Inner) -> None:
    module = suite(
        {
            "environment.recorded": "pytest.skip('no time')",
            "quantization.smaller": "pytest.xfail('known')",
            "tools.add": "assert 3 + 5 == 9, 'the sum is wrong'",
        },
        without=("tools.chain",),
    )
    module = module.replace(
        '@pytest.mark.claim("quantization.config")', '@pytest.mark.xfail\n@pytest.mark.claim("quantization.config")'
    )
    module = module.replace(
        'def test_chat_does_not_loop(deployment, measure):\n    measure("figure", 1, "MiB", "<= 2 MiB")',
        "def test_chat_does_not_loop(deployment):\n    pass",
    )
    module += (
        "\n@pytest.fixture(autouse=True)\ndef f(request):\n    yield\n    assert 'peak' not in request.node.name\n"
    )
    result = inner.run(module, "-k", "not multiply", "--report-lang", "en")
    assert result.ret == 1
    assert [(reason.code, reason.claim) for reason in inner.verdict.reasons] == [
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
    page = inner.page
    assert "NOT ACCEPTED" in page
    assert page.index("the sum is wrong") < page.index("Task 1"), "the cause comes first"
    assert "“The model called mul” was deselected" in page


def test_deselection_alone_is_no_pass_though_pytest_says_so(inner: Inner) -> None:
    result = inner.run(suite(), "-k", "not multiply")
    assert result.ret == 0
    assert inner.codes == ["claim_deselected"]
    assert "验收不通过" in inner.page


def test_leaving_with_status_0_is_no_pass(inner: Inner) -> None:
    result = inner.run(suite({"vram.released": "pytest.exit('enough', 0)"}))
    assert result.ret == 0
    assert inner.codes == ["interrupted", "claim_unfinished", "tests_missing"]
    assert "enough" in inner.page


def test_stopping_at_the_first_failure(inner: Inner) -> None:
    inner.run(suite({"environment.recorded": "assert 0"}), "-x")
    assert inner.codes[:2] == ["interrupted", "claim_failed"]
    assert inner.codes.count("claim_unfinished") == 14


def test_a_session_timeout(inner: Inner) -> None:
    inner.run(suite({"environment.recorded": "time.sleep(0.3)"}), "--session-timeout", "0.2")
    assert inner.codes[0] == "interrupted"
    assert "session-timeout" in inner.verdict.reasons[0].detail
    assert "session-timeout" in inner.page


def test_a_killed_run_leaves_a_report_that_says_so(inner: Inner) -> None:
    stale = inner.path / "mine.html"
    stale.write_text("<h1>ACCEPTED long ago</h1>")
    inner.run(suite({"tools.add": "os.kill(os.getpid(), signal.SIGKILL)"}), "--html", "mine.html")
    assert inner.codes[0] == "killed"
    page = stale.read_text(encoding="utf-8")
    assert "long ago" not in page
    assert "未完成" in page
    assert "验收不通过" in page
    assert "验收通过" not in page
    (kept,) = inner.path.glob("mine.html.*.bak")
    assert "long ago" in kept.read_text()
    lines = (inner.folder / "events.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["kind"] == "Measured", "every line is on disk at once"
    assert verify(inner.folder).problems, "a killed run has no seal"


def test_a_timeout_of_the_thread_method_leaves_a_report_that_says_so(inner: Inner) -> None:
    inner.run(suite({"tools.add": "time.sleep(20)"}), "--timeout", "0.3", "--timeout-method", "thread")
    assert inner.codes[0] == "killed"
    assert "未完成" in inner.page


def test_ctrl_c(inner: Inner) -> None:
    process = inner.start(
        suite({"chat.does_not_loop": "open('here', 'w').close(); [time.sleep(0.05) for _ in range(600)]"})
    )
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while not (inner.path / "here").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert "未完成" in inner.page
        process.send_signal(signal.SIGINT)
        assert process.wait(START_TIMEOUT) == 2
    finally:
        process.kill()
    assert inner.codes[0] == "interrupted"
    assert "KeyboardInterrupt" in inner.page
    assert "未完成" not in inner.page.partition('id="provenance"')[0]


def test_a_dying_server_is_shown_without_a_traceback(inner: Inner) -> None:
    module = suite() + (
        "\nfrom fixtures.errors import ServerDied\n"
        "from fixtures.evidence.events import ServerStopped\n"
        "@pytest.fixture(scope='session', autouse=True)\ndef server(evidence):\n"
        "    evidence.append(ServerStopped(exit_code=7, seconds=1.0, cause='exit code 7\\nCUDA out of memory'))\n"
        "    raise ServerDied('the api_server exited with code 7', where='lmdeploy serve', remedy='read the log',\n"
        "                     detail='CUDA out of memory')\n"
    )
    result = inner.run(module, "--maxfail", "1")
    output = result.stdout.str()
    assert "what to do: read the log" in output
    assert "def server" not in output
    assert "ERROR test_homework.py::test_environment_recorded - the api_server exited" in output
    reason = next(reason for reason in inner.verdict.reasons if reason.code == "claim_failed")
    assert reason.detail.startswith("the api_server exited with code 7")
    assert "server_ended" in inner.codes
    page = inner.page
    assert page.index("CUDA out of memory") < page.index('id="deployment"'), "the cause comes first"
    assert "def server" not in page


def test_a_module_that_cannot_be_imported(inner: Inner) -> None:
    inner.run("import nothing_of_that_name")
    assert inner.codes[0] == "interrupted"
    assert "nothing_of_that_name" in inner.page


def test_no_test_at_all(inner: Inner) -> None:
    result = inner.run("")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert set(inner.codes) == {"claim_not_collected", "exit_status", "no_server", "model_unknown"}


def test_nonsense_is_refused_before_anything_starts(inner: Inner) -> None:
    result = inner.run(suite(), "--quant-policy", "5")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert not (inner.path / "evidence").exists()


def test_a_rehearsal_never_passes(inner: Inner) -> None:
    inner.deploy("synthetic.events(rehearsal=True)")
    skipped = dict.fromkeys(("vram.after_start", "vram.peak", "vram.released"), "pytest.skip('no GPU')")
    result = inner.run(suite(skipped), "--rehearse", "--report-lang", "en")
    assert result.ret == 0
    assert inner.verdict.outcome == "rehearsal"
    sentence = "REHEARSAL: 12 of 12 claims that need no GPU held; VRAM not measured: no GPU"
    assert sentence in inner.page
    assert sentence in result.stdout.str()
    assert "ACCEPTED" not in inner.page
    for file in ("post.md", "report.json"):
        assert "ACCEPTED" not in (inner.folder / file).read_text(encoding="utf-8")


def test_continuous_integration_leaves_no_variable_in_the_report(inner: Inner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_TAG", "jenkins-of-alice")
    monkeypatch.setenv("HF_TOKEN", "not-to-be-seen")
    inner.run(
        suite({"tools.add": "print(os.environ['HF_TOKEN']); assert 0, os.environ['HF_TOKEN']"}),
        "--metadata", "<b>x</b>", "<script>alert(1)</script>",
    )  # fmt: skip
    everything = "".join(file.read_text(encoding="utf-8") for file in inner.folder.iterdir())
    assert "jenkins-of-alice" not in everything
    assert "not-to-be-seen" not in everything
    assert "alert(1)" not in inner.page.partition('id="verdict"')[0]
    assert os.environ["HF_TOKEN"] == "not-to-be-seen"


def test_a_report_that_the_disk_refuses_is_told_and_leaves_an_unfinished_page(inner: Inner) -> None:
    full = """
from pathlib import Path
(page,) = Path("evidence").glob("*/report.html")
page.unlink()
page.symlink_to("/dev/full")
"""
    result = inner.run(suite({"vram.released": f"exec({full!r})"}), "--report-lang", "en")
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    result.stdout.fnmatch_lines(["*the report could not be written: *No space left*unfinished run*"])
    assert "</html>" in inner.page
    for shown in (inner.page, result.stdout.str()):
        assert "All 15 claims of the homework were run" not in shown


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_run(inner: Inner) -> None:
    result = inner.run(suite(), "--evidence-dir", "/proc/nowhere")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: the folder of --evidence-dir cannot be written*", "*what to do: *--evidence-dir"]
    )


def test_a_log_that_the_disk_refuses_ends_the_run(inner: Inner) -> None:
    full = """
import resource
from pathlib import Path
(log,) = Path("evidence").glob("*/events.jsonl")
room = log.stat().st_size + 300
resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
"""
    result = inner.run(suite({"tools.add": f"exec({full!r})"}), "--report-lang", "en")
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    result.stdout.fnmatch_lines(["*the folder of --evidence-dir cannot be written*", "*what to do: free some space*"])
    assert "INTERNALERROR" not in result.stdout.str()
    assert "killed" in inner.codes
    assert "</html>" in inner.page


def test_a_device_is_nobodys_old_report(tmp_path: Path) -> None:
    pipe = tmp_path / "report.html"
    os.mkfifo(pipe)
    put_aside(pipe)
    assert pipe.exists()
