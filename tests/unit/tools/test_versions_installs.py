"""What an install took is measured and kept, and a GPU run's verdict is taken from its report."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from fixtures.errors import LmdeployError
from tools.versions import installs
from tools.versions.__main__ import main
from tools.versions.installs import record_gpu, save, size

TOX = """#!{python}
import json, os, pathlib, subprocess, sys
arguments = sys.argv[1:]
name = arguments[arguments.index("-e") + 1]
folder = pathlib.Path(arguments[arguments.index("--workdir") + 1]) / name
if not (folder / "bin").exists():
    if name == "contract-0.6.5":
        sys.exit("ERROR: No matching distribution found for torch==9")
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "data").write_bytes(b"x" * (2 << 20))
    (folder / "cached").write_text(os.environ.get("PIP_NO_CACHE_DIR", ""))
elif "--" not in arguments:
    reports = pathlib.Path("reports") / name
    reports.mkdir(parents=True, exist_ok=True)
    claims = [
        {{"id": "parser", "state": "passed", "cause": ""}},
        {{"id": "template", "state": "failed", "cause": "the tools are not in the prompt"}},
    ]
    found = {{"outcome": "failed", "passed": 1, "total": 2, "commit": "abc", "dirty": False, "claims": claims}}
    (reports / "contract.json").write_text(json.dumps(found))
    sys.exit(1)
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "tox"
    program.write_text(TOX.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(installs, "_tox", lambda: str(program))
    monkeypatch.setattr(installs, "ROOT", tmp_path)
    return tmp_path


def report(folder: Path, lmdeploy: str) -> Path:
    file = folder / "report.json"
    document = {
        "run_id": "20261122T183238Z-9707",
        "started_at": "2026-11-22T18:32:38.370+00:00",
        "seconds": 59.5,
        "suite": {"argv": ["pytest", "-m", "gpu"], "commit": "abc"},
        "environment": {"gpu": "H100", "driver": "580", "python": "3.12.3", "versions": {"lmdeploy": lmdeploy}},
        "verdict": {"outcome": "not_accepted", "passed": 1, "total": 2},
        "claims": [
            {"id": "chat", "state": "passed", "cause": ""},
            {"id": "tools.add", "state": "failed", "cause": "no call"},
        ],
    }
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


def read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def test_a_contract_environment_is_installed_measured_tested_and_removed(root: Path) -> None:
    done = installs.install("contract-0.18.0", "", install_only=False, keep=False)
    assert done.install_exit == 0
    assert done.install_mib == 2
    # A test's install takes less processor time than the record's last digit shows, now and then.
    assert 0 <= done.install_processor_seconds <= done.install_seconds * done.processors
    assert done.python == ".".join(map(str, sys.version_info[:3]))
    assert done.distributions > 5
    assert done.command == f"python -m tools.versions record contract-0.18.0 --python python3.{sys.version_info[1]}"
    assert done.tests is not None
    assert (done.tests["exit"], done.tests["outcome"], done.tests["passed"], done.tests["total"]) == (1, "failed", 1, 2)
    assert done.tests["claims"] == {"template": {"state": "failed", "cause": "the tools are not in the prompt"}}
    assert not done.good
    assert not (root / ".tox" / "recorded" / "contract-0.18.0").exists()


def test_nothing_comes_from_pips_cache(root: Path) -> None:
    installs.install("lmdeploy-0.18.0", "", install_only=False, keep=True)
    assert (root / ".tox" / "recorded" / "lmdeploy-0.18.0" / "cached").read_text(encoding="utf-8") == "1"


def test_an_environment_for_a_gpu_is_installed_and_not_run(root: Path) -> None:
    done = installs.install("lmdeploy-0.18.0", "", install_only=False, keep=False)
    assert done.tests is None
    assert done.good
    assert not (root / "reports").exists()


@pytest.mark.usefixtures("root")
def test_a_failed_install_is_kept_with_its_cause() -> None:
    done = installs.install("contract-0.6.5", "", install_only=False, keep=False)
    assert done.install_exit == 1
    assert "No matching distribution found for torch==9" in done.failure
    assert not done.good
    assert "No matching distribution" in installs.told("contract-0.6.5", done)


def test_an_older_install_is_replaced_and_others_stay(root: Path) -> None:
    record = root / "docs" / "records" / "versions.json"
    done = installs.install("contract-0.18.0", "", install_only=True, keep=False)
    save(record, "contract-0.18.0", done)
    save(record, "contract-0.5.3", done)
    save(record, "contract-0.18.0", done)
    versions = read(record)["versions"]
    assert list(versions) == ["0.5.3", "0.18.0"]
    assert len(versions["0.18.0"]["environments"]) == 1


def test_a_file_with_two_names_takes_its_room_once(tmp_path: Path) -> None:
    tmp_path.joinpath("one").write_bytes(b"x" * 8192)
    os.link(tmp_path / "one", tmp_path / "two")
    tmp_path.joinpath("three").symlink_to(tmp_path / "one")
    assert size(tmp_path) == 8192


def test_a_gpu_run_is_recorded_with_what_did_not_hold(tmp_path: Path) -> None:
    record = tmp_path / "versions.json"
    record_gpu(record, "0.14.0", report=report(tmp_path, "0.14.0"), none=None)
    found = read(record)["versions"]["0.14.0"]["gpu"]
    assert (found["run"], found["outcome"], found["gpu"], found["passed"]) == (True, "not_accepted", "H100", 1)
    assert found["claims"] == {"tools.add": {"state": "failed", "cause": "no call"}}


def test_a_report_about_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LmdeployError, match=r"the report is about lmdeploy 0\.17\.0"):
        record_gpu(tmp_path / "versions.json", "0.14.0", report=report(tmp_path, "0.17.0"), none=None)
    assert not (tmp_path / "versions.json").exists()


def test_where_there_is_no_gpu_run_the_reason_is_kept(tmp_path: Path) -> None:
    record = tmp_path / "versions.json"
    record_gpu(record, "0.5.3", report=None, none="no code for Hopper cards")
    assert read(record)["versions"]["0.5.3"]["gpu"] == {"run": False, "why": "no code for Hopper cards"}
    with pytest.raises(LmdeployError, match="a reason why there is none"):
        record_gpu(record, "0.5.3", report=None, none=None)


def test_an_unknown_environment_is_refused_before_anything_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["record", "contract-0.1.0"]) == 2
    assert "no such environment: contract-0.1.0" in capsys.readouterr().err
