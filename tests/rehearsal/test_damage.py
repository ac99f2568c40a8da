"""A rehearsal of a damaged checkpoint fails where a user would feel it: in the chat or in the tool calls."""

import json
import subprocess
import sys
from pathlib import Path

from safetensors.torch import load_file, save_file

from tests.rehearsal.conftest import ROOT

RUN_TIMEOUT_S = 400
"""A rehearsal takes under 90 s on two idle cores."""

LAYER = "model.layers.1."


def rehearse(work_dir: Path, evidence: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "tests", "--rehearse", "--checkpoint", "standin"]
    command += ["--calibration", "local", f"--work-dir={work_dir}", f"--evidence-dir={evidence}"]
    command += ["-o", f"cache_dir={work_dir / 'cache'}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False)


def test_one_layers_damaged_scales_fail_the_chat_or_the_tools(tmp_path):
    work_dir = tmp_path / "work"
    made = rehearse(work_dir, tmp_path / "sound", "-k", "test_quantization")
    assert made.returncode == 0, made.stdout[-3000:]
    (file,) = (work_dir / "quantized").glob("*/*/model.safetensors")
    weights = load_file(file)
    for name in weights:
        if name.startswith(LAYER) and name.endswith(".scales"):
            weights[name] = weights[name].flip(1).contiguous()
    save_file(weights, file, metadata={"format": "pt"})

    run = rehearse(work_dir, tmp_path / "damaged")

    assert run.returncode == 1, run.stdout[-3000:]
    (events,) = (tmp_path / "damaged").glob("*/events.jsonl")
    entries = [json.loads(line) for line in events.read_text().splitlines()]
    failed = {entry["claim"] for entry in entries if entry["kind"] == "TestFinished" and entry["outcome"] == "failed"}
    assert [claim for claim in failed if claim.startswith(("chat.", "tools."))], failed
    assert not [claim for claim in failed if claim.startswith(("quantization.", "server."))], failed
