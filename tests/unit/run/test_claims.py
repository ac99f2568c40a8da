"""Claims that cannot be judged are refused before anything runs; a judgement that finds a fault fails its claim."""

from pathlib import Path

import pytest

from fixtures.run.measurement import ClaimFailed, Undecided, assert_no_fault
from fixtures.texts import message
from tests.unit.pytest_processes import run
from tests.unit.waiting import ROOT

CONFTEST = """
from pathlib import Path
from fixtures.run import claims

claims.FOLDER = Path(__file__).parent
pytest_plugins = ["fixtures.run.settings", "fixtures.session.selection"]
"""
FAULTY = """
import pytest
from fixtures.run.claims import claim

@pytest.mark.claim("tools.ad")
def test_unknown(): pass

@claim("tools.again", part="tools", zh="", en="", beyond=True)
def test_declared(): pass

@claim("tools.again", part="tools", zh="", en="", beyond=True)
def test_declared_again(): pass

@claim("chat.new", part="chat", zh="", en="")
def test_not_in_the_list(): pass
"""


def test_claims_that_cannot_be_judged_are_usage_errors_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_faulty.py").write_text(FAULTY)
    done = run(tmp_path, "-p", "no:cacheprovider", "--rootdir", ".", "--report-lang", "en")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    homework = (ROOT / "fixtures" / "homework.py").read_text(encoding="utf-8").splitlines()
    line = homework.index('    "tools.add",') + 1
    file = tmp_path / "test_faulty.py"
    for said in (
        "test_faulty.py:5: unknown claim 'tools.ad'",
        f"{file}:8: the claim tools.again is declared twice: {file}:8; {file}:11",
        f"{file}:14: the claim chat.new is not in the homework's list",
        f"fixtures/homework.py:{line}: no test declares the claim tools.add",
    ):
        assert said in done.stderr.str()


def test_fault_fails_and_a_doubt_is_left_to_a_person() -> None:
    assert_no_fault(None)
    with pytest.raises(ClaimFailed) as failed:
        assert_no_fault(message("fault.empty_reply"))
    assert not isinstance(failed.value, Undecided)
    doubt = message("undecided.short", characters=48, least=50, reply="狐狸")
    with pytest.raises(Undecided) as undecided:
        assert_no_fault(doubt)
    assert undecided.value.message is doubt
