"""A rehearsal of a damaged checkpoint fails where a user would feel it, in the chat or in the tool calls, and the
artefact's own check names the layer.

The damage is made as a broken auto_awq would have made it: the note beside the checkpoint vouches for it. A file that
changed after its note was written stops a run before anything starts (tests/unit/model/test_quantization.py).
"""

import json
import subprocess
import sys
from pathlib import Path

from safetensors.torch import load_file, save_file

from fixtures.model.checkpoint import identify
from fixtures.model.quantization import NOTE
from tests.rehearsal.conftest import ROOT

RUN_TIMEOUT_S = 400
"""A rehearsal takes under 90 s on two idle cores."""

LAYER = "model.layers.0."
"""Without it no call is right; without a later one a call of several tries may be."""


def rehearse(work_dir: Path, evidence: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "tests", "--rehearse", "--checkpoint", "standin"]
    command += ["--calibration", "local", f"--work-dir={work_dir}", f"--evidence-dir={evidence}"]
    command += ["-o", f"cache_dir={work_dir / 'cache'}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False)


def vouch_for(folder: Path, cache: Path) -> None:
    note_file = folder.parent / NOTE
    note = json.loads(note_file.read_text(encoding="utf-8"))
    note["fingerprint"] = identify(folder, "path", cache).fingerprint
    note_file.write_text(json.dumps(note), encoding="utf-8")


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
    vouch_for(file.parent, work_dir / "fingerprints")

    run = rehearse(work_dir, tmp_path / "damaged")

    assert run.returncode == 1, run.stdout[-3000:]
    (events,) = (tmp_path / "damaged").glob("*/events.jsonl")
    entries = [json.loads(line) for line in events.read_text().splitlines()]
    failed = {
        entry["claim"]: entry["cause"]
        for entry in entries
        if entry["kind"] == "TestFinished" and entry["outcome"] == "failed"
    }
    assert [claim for claim in failed if claim.startswith(("chat.", "tools."))], failed
    assert [claim for claim in failed if claim.startswith(("quantization.", "server."))] == ["quantization.artefact"]
    assert LAYER.rstrip(".") in failed["quantization.artefact"]
