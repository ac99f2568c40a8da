"""The unquantized checkpoint's folder: the same template as the quantized one, and the checkpoint untouched."""

import json
from pathlib import Path

from fixtures.lmdeploy.capabilities import capabilities
from fixtures.model.checkpoint import identify
from fixtures.model.plain_copy import plain_copy
from fixtures.standin.tokenizer_files import TEMPLATE
from tests.unit.tiny_checkpoint import write_checkpoint


def test_copy_has_the_template_and_the_checkpoint_stays_as_it_is(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", shards=0)
    config = json.dumps({"chat_template": "no branch for them"})
    (folder / "tokenizer_config.json").write_text(config, encoding="utf-8")
    checkpoint = identify(folder, "path", tmp_path / "fingerprints")
    for _ in range(2):  # the second time over the first one's leftovers
        copied = plain_copy(checkpoint, tmp_path / "control", capabilities("0.18.0"))
    assert (copied / "chat_template.jinja").read_text(encoding="utf-8") == TEMPLATE.read_text(encoding="utf-8")
    assert (copied / "model.safetensors").resolve() == folder / "model.safetensors"
    assert copied.name == "internlm2_5-chat-model"
    assert (folder / "tokenizer_config.json").read_text(encoding="utf-8") == config
    assert not (folder / "chat_template.jinja").exists()
