"""The launcher's decisions before lmdeploy runs."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from fixtures.rehearsal import __main__ as launcher


def test_quantizing_happens_on_the_cpu_unless_told_otherwise(monkeypatch):
    nn = SimpleNamespace(functional=SimpleNamespace(linear=None))
    cuda = SimpleNamespace(is_bf16_supported=lambda: False)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda, nn=nn))  # the real one takes seconds to import
    plain = ["lite", "auto_awq", "model"]
    assert launcher.quantize_on_cpu(plain) == [*plain, "--device", "cpu"]
    assert launcher.quantize_on_cpu([*plain, "--device=cpu"]) == [*plain, "--device=cpu"]
    assert cuda.is_bf16_supported()


def test_refusal_is_a_message_and_an_exit_code_without_traceback(tmp_path):
    """A fake distribution of a version before the homework's, in a real process."""
    metadata = tmp_path / "lmdeploy-0.4.2.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: lmdeploy\nVersion: 0.4.2\n")
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
    assert "lmdeploy 0.4.2 is older than the homework's 0.5.3" in finished.stderr
    assert "Traceback" not in finished.stderr
