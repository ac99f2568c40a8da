"""The unquantized checkpoint's folder: the same template as the quantized one, and the checkpoint untouched."""

import json
from pathlib import Path

from fixtures.lmdeploy.capabilities import capabilities
from fixtures.model.plain_copy import plain_copy
from fixtures.standin.tokenizer_files import TEMPLATE


def test_copy_has_the_template_and_the_checkpoint_stays_as_it_is(tmp_path: Path) -> None:
    checkpoint = tmp_path / "model"
    checkpoint.mkdir()
    config = json.dumps({"chat_template": "no branch for them"})
    (checkpoint / "tokenizer_config.json").write_text(config, encoding="utf-8")
    (checkpoint / "model.safetensors").write_bytes(b"weights")
    for _ in range(2):  # the second time over the first one's leftovers
        folder = plain_copy(checkpoint, "model", tmp_path / "control", capabilities("0.18.0"))
    assert (folder / "chat_template.jinja").read_text(encoding="utf-8") == TEMPLATE.read_text(encoding="utf-8")
    assert (folder / "model.safetensors").resolve() == checkpoint / "model.safetensors"
    assert "internlm2" in folder.name
    assert "chat" in folder.name
    assert (checkpoint / "tokenizer_config.json").read_text(encoding="utf-8") == config
    assert not (checkpoint / "chat_template.jinja").exists()
