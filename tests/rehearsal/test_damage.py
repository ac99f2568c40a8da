"""A rehearsal of a damaged checkpoint fails where a user would notice, in the chat or in the tool calls, and the
artefact's own check names the layer.

The damage is made as a broken auto_awq would have made it: the note beside the checkpoint vouches for it. A file that
changed after its note was written stops a run before anything starts (tests/unit/model/test_quantization.py).
"""

import json
from pathlib import Path

from safetensors.torch import load_file, save_file

from fixtures.evidence.events import TestFinished
from fixtures.model.checkpoint import identify
from fixtures.model.quantization import NOTE
from tests.rehearsal.conftest import REHEARSED, run_suite

LAYER = "model.layers.0."
"""Without it no call is right; without a later one a call of several tries may be."""


def damage(file: Path) -> None:
    """Turn the scales of a layer around."""
    weights = load_file(file)
    for name in weights:
        if name.startswith(LAYER) and name.endswith(".scales"):
            weights[name] = weights[name].flip(1).contiguous()
    save_file(weights, file, metadata={"format": "pt"})


def vouch_for(folder: Path, cache: Path) -> None:
    note_file = folder.parent / NOTE
    note = json.loads(note_file.read_text(encoding="utf-8"))
    note["fingerprint"] = identify(folder, "path", cache, source=False).fingerprint
    note_file.write_text(json.dumps(note), encoding="utf-8")


def test_damaged_scales_of_one_layer_fail_the_chat_or_the_tools(tmp_path: Path) -> None:
    work = tmp_path / "work"
    made = run_suite(tmp_path / "sound", *REHEARSED, "-k", "test_quantization", work=work)
    assert made.status == 0, made.output[-3000:]
    (file,) = (work / "quantized").glob("*/*/model.safetensors")
    damage(file)
    vouch_for(file.parent, work / "fingerprints")

    run = run_suite(tmp_path / "damaged", *REHEARSED, work=work)

    assert run.status == 1, run.output[-3000:]
    failed = {event.claim: event.cause for event in run.summary.all(TestFinished) if event.outcome == "failed"}
    assert [claim for claim in failed if claim.startswith(("chat.", "tools."))], failed
    assert [claim for claim in failed if claim.startswith(("quantization.", "server."))] == ["quantization.artefact"]
    assert LAYER.rstrip(".") in str(failed["quantization.artefact"])
