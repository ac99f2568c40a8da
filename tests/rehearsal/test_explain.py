"""Causes planted into a rehearsal are named by `--explain`, and a sound deployment is not blamed.

What needs another engine or a real model is seen on a GPU (docs/real-model.md).
"""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from fixtures.evidence.events import TestFinished
from fixtures.lmdeploy import families
from fixtures.model.checkpoint import identify
from fixtures.model.quantization import NOTE
from fixtures.standin.checkpoint import STANDIN
from tests.acceptance.explain.asking import kinds
from tests.acceptance.explain.cause import causes
from tests.acceptance.explain.events import SearchBegun, ServerTried
from tests.faults.environment import copied
from tests.rehearsal.conftest import REHEARSED, Run, run_suite
from tests.rehearsal.test_planted import hide_tools

EXPLAINED = (*REHEARSED, "--explain")
LAYER = "model.layers.0."
"""Without it no call is right; without a later one a call of several tries may be."""
OUTLIER = 60.0
"""Of a key's channel that RoPE hardly turns: it adds the same to every token's logit, so attention stays as it is,
and a head's 16 levels lie eight units apart."""


def found(run: Run) -> dict[str, str]:
    """The cause of each kind of question that failed."""
    (begun,) = run.summary.all(SearchBegun)
    return {one.kind: one.id for one in causes(begun, run.summary.all(ServerTried), kinds(begun.claims))}


def in_copy(root: Path, **paths: str) -> dict[str, str]:
    """The environment in which a copy's modules come first."""
    return {"PYTHONPATH": str(root), **paths}


def test_template_without_tools_is_named(tmp_path: Path) -> None:
    suite = copied(tmp_path / "suite")
    hide_tools(suite / "fixtures" / "standin")
    run = run_suite(tmp_path, *EXPLAINED, root=suite, **in_copy(suite))
    assert set(found(run).values()) == {"template"}, run.output[-3000:]
    assert len(run.summary.all(ServerTried)) == 1  # no other was needed
    report = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "the chat template does not show the tools to the model" in report


def test_parser_that_drops_calls_is_named(tmp_path: Path) -> None:
    suite = copied(tmp_path / "suite")
    table = suite / "fixtures" / "lmdeploy" / "families.toml"
    other = families.families()["LlamaForCausalLM"].tool_call_parser("0.18.0")
    own = families.homework_family().tool_call_parser("0.18.0")
    table.write_text(table.read_text(encoding="utf-8").replace(f'"{own}"', f'"{other}"'), encoding="utf-8")
    run = run_suite(tmp_path, *EXPLAINED, root=suite, **in_copy(suite))
    assert set(found(run).values()) == {"parser"}, run.output[-3000:]


def damage(file: Path) -> None:
    """Turn the scales of a layer around, as a broken auto_awq would have made them: the note beside the checkpoint
    vouches for it. A file that changed after its note was written stops a run before anything starts."""
    weights = load_file(file)
    for name in weights:
        if name.startswith(LAYER) and name.endswith(".scales"):
            weights[name] = weights[name].flip(1).contiguous()
    save_file(weights, file, metadata={"format": "pt"})
    folder = file.parent
    note_file = folder.parent / NOTE
    note = json.loads(note_file.read_text(encoding="utf-8"))
    note["fingerprint"] = identify(folder, "path", folder.parents[2] / "fingerprints", source=False).fingerprint
    note_file.write_text(json.dumps(note), encoding="utf-8")


def test_damaged_layer_fails_where_a_user_would_notice_and_is_named(tmp_path: Path) -> None:
    work = tmp_path / "work"
    made = run_suite(tmp_path / "sound", *REHEARSED, "-k", "test_quantization", work=work)
    assert made.status == 0, made.output[-3000:]
    (file,) = (work / "quantized").glob("*/*/model.safetensors")
    damage(file)
    run = run_suite(tmp_path / "damaged", *EXPLAINED, work=work)
    assert run.status == 1, run.output[-3000:]
    failed = {event.claim: event.cause for event in run.summary.all(TestFinished) if event.outcome == "failed"}
    assert [claim for claim in failed if claim.startswith(("chat.", "tools."))], failed
    assert [claim for claim in failed if claim.startswith(("quantization.", "server."))] == ["quantization.artefact"]
    assert LAYER.rstrip(".") in str(failed["quantization.artefact"])
    assert set(found(run).values()) == {"artefact"}, run.output[-3000:]
    assert LAYER.rstrip(".") in (run.folder / "report.html").read_text(encoding="utf-8")


def with_outlier(folder: Path) -> Path:
    """The stand-in with a bias in its keys as Qwen2 has one: one channel is large for every token."""
    shutil.copytree(STANDIN, folder)
    file = folder / "model.safetensors"
    weights = load_file(file)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    queries, head = config["num_attention_heads"], config["hidden_size"] // config["num_attention_heads"]
    for number in range(config["num_hidden_layers"]):
        attention = f"model.layers.{number}.attention"
        bias = torch.zeros(len(weights[f"{attention}.wqkv.weight"]), dtype=torch.bfloat16)
        bias[queries * head + head // 2 - 1] = OUTLIER
        bias[queries * head + head - 1] = -OUTLIER
        weights[f"{attention}.wqkv.bias"] = bias
        weights[f"{attention}.wo.bias"] = torch.zeros(config["hidden_size"], dtype=torch.bfloat16)
    save_file(weights, file, metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps({**config, "bias": True}), encoding="utf-8")
    return folder


@pytest.mark.parametrize(("quant_policy", "cause"), [("4", "kv"), ("0", None)])
def test_kv_cache_that_cannot_hold_the_keys_is_named(quant_policy: str, cause: str | None, tmp_path: Path) -> None:
    checkpoint = with_outlier(tmp_path / "internlm2_5-outlier-chat")
    options = ("--rehearse", f"--checkpoint={checkpoint}", "--calibration=local", "--explain")
    run = run_suite(tmp_path, *options, f"--quant-policy={quant_policy}")
    if cause is None:  # nothing to explain: no server was started for it
        assert run.summary.all(ServerTried) == []
        assert run.status == 0, run.output[-3000:]
        return
    assert set(found(run).values()) == {cause}, run.output[-3000:]
    served = [one.name for one in run.summary.all(ServerTried)]
    assert served[1:] == ["bf16 (TurboMind)", "W4A16 (TurboMind)", "W4A16 + int8 KV (TurboMind)"]
    assert "Use --quant-policy 0" in (run.folder / "report.html").read_text(encoding="utf-8")
