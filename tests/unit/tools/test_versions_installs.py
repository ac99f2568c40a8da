"""What an install took and what became of its tests is measured and kept."""

import sys
from pathlib import Path

import pytest

from fixtures.lmdeploy.capabilities import TRIED
from fixtures.lmdeploy.versions import RECORD
from tools.records import read
from tools.versions import installs
from tools.versions.installs import save

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
    monkeypatch.setattr(installs, "program", lambda _: str(program))
    monkeypatch.setattr(installs, "ROOT", tmp_path)
    return tmp_path


def test_contract_environment_is_installed_measured_tested_and_removed(root: Path) -> None:
    done = installs.install("contract-0.18.0", "", test=True, keep=False)
    assert (done["install_exit"], done["install_mib"]) == (0, 2)
    # A test's install takes less processor time than the record's last digit shows, now and then.
    assert 0 <= done["install_processor_seconds"] <= done["install_seconds"] * done["processors"]
    assert done["python"] == ".".join(map(str, sys.version_info[:3]))
    assert done["distributions"] > 5
    assert done["command"].endswith(f"record contract-0.18.0 --python python3.{sys.version_info[1]}")
    tests = done["tests"]
    assert (tests["exit"], tests["outcome"], tests["passed"], tests["total"]) == (1, "failed", 1, 2)
    assert tests["claims"] == {"template": {"state": "failed", "cause": "the tools are not in the prompt"}}
    assert not (root / ".tox" / "recorded" / "contract-0.18.0").exists()


def test_environment_for_a_gpu_is_installed_without_a_cache_and_not_run(root: Path) -> None:
    assert installs.install("lmdeploy-0.18.0", "", test=True, keep=True)["tests"] is None
    assert (root / ".tox" / "recorded" / "lmdeploy-0.18.0" / "cached").read_text(encoding="utf-8") == "1"
    assert not (root / "reports").exists()


@pytest.mark.usefixtures("root")
def test_failed_install_is_kept_with_its_cause() -> None:
    done = installs.install("contract-0.6.5", "", test=True, keep=False)
    assert done["install_exit"] == 1
    assert "No matching distribution" in installs.told("contract-0.6.5", done)


def test_older_install_is_replaced_and_others_stay(tmp_path: Path) -> None:
    record = tmp_path / "versions.json"
    for version in ("0.18.0", "0.5.3", "0.18.0"):
        save(f"contract-{version}", {"python": "3.11.7"}, record)
    assert read(record)["versions"] == {
        version: {"environments": {f"contract-{version} python3.11": {"python": "3.11.7"}}}
        for version in ("0.5.3", "0.18.0")
    }


def test_every_version_is_recorded_with_its_gpu_run_or_the_reason_for_none() -> None:
    versions = read(RECORD)["versions"]
    assert tuple(versions) == TRIED
    assert all(found["gpu"]["run"] or found["gpu"]["why"] for found in versions.values())
