"""进程与显存 / Killed, interrupted, out of memory: the cause is named, the GPU is as it was. Run: `-m gpu_faults`."""

from html import unescape

import pytest

from fixtures.evidence.seal import broken
from fixtures.run.measurement import assert_no_fault, not_measured
from fixtures.texts import Texts, message
from tests.acceptance.gpu_faults.faults import ON_THE_GPU_MIB, Suffered

pytestmark = pytest.mark.gpu_faults


def test_cause_is_named(suffered: Suffered) -> None:
    """As the verdict's first reason; and on the console and in the report, where pytest lived to write them."""
    reasons = suffered.verdict.reasons
    assert reasons, "no reason is named"
    assert suffered.fault.explains(reasons[0]), reasons
    if suffered.pytest_lived:
        assert suffered.fault.words in " ".join(suffered.console.split())
        assert suffered.fault.words in unescape(suffered.report)


def test_report_is_no_pass(suffered: Suffered) -> None:
    """Complete and sealed where pytest lived to do it, else the page that says that the run has not finished."""
    assert suffered.exit_code != 0
    assert suffered.verdict.outcome in ("not_accepted", "rehearsal")
    texts = Texts("en")
    assert texts.say(f"homework.outcome.{suffered.verdict.outcome}") in suffered.report
    assert (texts.say("unfinished") in suffered.report) is not suffered.pytest_lived
    assert (not broken(suffered.evidence)) is suffered.pytest_lived


def test_nothing_is_left_running(suffered: Suffered) -> None:
    """No process of the run, and in time."""
    assert suffered.left == []
    assert suffered.seconds <= suffered.fault.within_s


def test_memory_comes_back(suffered: Suffered) -> None:
    """To the figure before the run, from one that shows that the server was on the GPU."""
    release = suffered.release
    if release is None or suffered.idle_mib is None or suffered.peak_mib is None:
        not_measured("no_gpu")
    assert suffered.peak_mib > suffered.idle_mib + ON_THE_GPU_MIB
    assert_no_fault(None if release.complete else message("gpu_faults.not_released", mib=release.used_mib))
