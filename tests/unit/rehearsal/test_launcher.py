"""The launcher's decisions before lmdeploy runs."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fixtures.errors import LmdeployError
from fixtures.rehearsal import __main__ as launcher


def installed(monkeypatch: pytest.MonkeyPatch, version: str | None) -> None:
    def answer(_: str) -> str:
        if version is None:
            raise importlib.metadata.PackageNotFoundError
        return version

    monkeypatch.setattr(importlib.metadata, "version", answer)


def test_the_version_it_was_written_for_is_taken(monkeypatch):
    installed(monkeypatch, launcher.LMDEPLOY)
    launcher.check_version()  # raises for any other
    assert launcher.LMDEPLOY == "0.18.0"


@pytest.mark.parametrize(("version", "said"), [("0.9.2", "0.9.2 is installed"), (None, "none is installed")])
def test_another_version_is_refused_with_both_numbers(monkeypatch, version, said):
    installed(monkeypatch, version)
    with pytest.raises(LmdeployError, match=r"written for lmdeploy 0\.18\.0; " + said):
        launcher.check_version()


def test_quantizing_happens_on_the_cpu_unless_told_otherwise(monkeypatch):
    cuda = SimpleNamespace(is_bf16_supported=lambda: False)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))  # the real one takes seconds to import
    plain = ["lite", "auto_awq", "model"]
    assert launcher.quantize_on_cpu(plain) == [*plain, "--device", "cpu"]
    for named in (["--device", "cpu"], ["--device=cpu"]):
        assert launcher.quantize_on_cpu([*plain, *named]) == [*plain, *named]
    assert cuda.is_bf16_supported()


def test_a_refusal_is_a_message_and_an_exit_code_without_traceback(tmp_path):
    """A fake distribution of another version, in a real process."""
    metadata = tmp_path / "lmdeploy-0.5.3.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: lmdeploy\nVersion: 0.5.3\n")
    root = Path(launcher.__file__).parents[2]
    finished = subprocess.run(
        [sys.executable, "-m", "fixtures.rehearsal", "serve", "api_server", "model"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 1
    assert "0.5.3 is installed" in finished.stderr
    assert "what to do:" in finished.stderr
    assert "Traceback" not in finished.stderr
