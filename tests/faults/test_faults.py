"""Each fault of the catalogue, put into a real run of the suite: caught, for its own reason, and nothing is left."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.evidence.seal import SEAL_FILE
from fixtures.homework import CLAIMS
from fixtures.report.verification import verify
from tests.faults.acts import ACTS
from tests.faults.catalogue import ACCEPTED, FAULTS, FULL, INTERRUPTED, KILLED, REFUSED, SEALED, Fault
from tests.faults.environment import ROOT, Environment
from tests.faults.lmdeploy.awq import AFTER, BEFORE, CORRUPTIONS, UNQUANTIZED
from tests.faults.stage import Outcome, Stage, perform

QUANTIZER = {
    *BEFORE, *AFTER, *CORRUPTIONS, UNQUANTIZED, "calibration-text-too-short", "tokenizer-knows-no-chinese",
    "no-space-for-the-result", "file-size-limited", "pytest-interrupted-while-quantizing",
}  # fmt: skip
"""Faults in the quantization: a cached result would hide them."""

EXIT_CODES = {ACCEPTED: 0, FULL: 3, INTERRUPTED: 2, KILLED: -signal.SIGKILL, REFUSED: 4}
"""By what stands in place of a claim; a claim that fails makes it 1."""


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, id=fault.id, marks=pytest.mark.nightly if fault.nightly else pytest.mark.faults)
        for fault in FAULTS
    ],
)
def test_the_fault_is_caught(
    fault: Fault, environment: Environment, cache: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    stage = Stage(tmp_path, environment, fault.switch or fault.id)
    stage.arguments += fault.arguments
    stage.variables |= fault.variables
    if fault.id not in QUANTIZER:
        shutil.copytree(cache, stage.work, dirs_exist_ok=True)
    if fault.id.startswith("stream-"):
        stage.tests, stage.options["-m"] = "tests/acceptance/depth/test_streaming.py", "gpu or depth"
    outcome = perform(stage, ACTS.get(fault.id))
    record_property("fault", fault.id)
    record_property("seconds", outcome.told_after(fault.claim))
    # The record shows no folder of the machine that made it.
    record_property("message", message(fault, outcome).replace(f"{os.path.relpath(tmp_path, ROOT)}/", ""))
    record_property("leftovers", list(outcome.leftovers))
    judge(fault, outcome)
    shutil.rmtree(tmp_path)


def message(fault: Fault, outcome: Outcome) -> str:
    """What whoever reads the run is told about the fault."""
    if fault.claim == SEALED:
        return "\n".join(map(str, verify(outcome.folder).problems)) if outcome.folder else ""
    if fault.claim in (REFUSED, FULL):
        return outcome.said(fault.words)
    return outcome.message(fault.claim)


def judge(fault: Fault, outcome: Outcome) -> None:
    """Assert everything that the catalogue says about the fault, and that the record does not contradict itself."""
    if fault.claim != SEALED and outcome.folder and (outcome.folder / SEAL_FILE).exists():
        assert not verify(outcome.folder).problems
    if fault.claim in (REFUSED, FULL):
        assert not [words for words in ("验收通过", "替身模型通过") if words in outcome.page]
    elif fault.layer == "protocol" and fault.claim not in CLAIMS:  # decided in depth, beyond the homework
        assert outcome.failures(fault.claim), outcome.console[-3000:]
    elif fault.claim != SEALED:
        first = outcome.first_reason()
        assert first == fault.claim, f"the first reason is {first}\n{outcome.message(first)}\n{outcome.console[-3000:]}"
    said = message(fault, outcome)
    missing = [word for word in fault.words if word not in said]
    assert not missing, f"not in the message: {missing}\n{said}\n{outcome.console[-3000:]}"
    expected = EXIT_CODES.get(fault.claim, 1) if fault.exit_code is None else fault.exit_code
    assert outcome.exit_code == expected, outcome.console[-3000:]
    assert outcome.told_after(fault.claim) <= fault.within
    assert not outcome.leftovers
    if fault.claim != REFUSED:
        assert "</html>" in outcome.page
