"""Code that comes with the checkpoint is named; code from elsewhere is refused."""

import json
from pathlib import Path

import pytest

from fixtures.errors import CheckpointError
from fixtures.model.remote_code import own_code
from fixtures.standin.checkpoint import STANDIN


def test_code_of_the_folder_is_named() -> None:
    assert own_code(STANDIN) == ["configuration_internlm2.py", "modeling_internlm2.py"]


@pytest.mark.parametrize(
    ("file", "auto_map"),
    [
        ("config.json", {"AutoConfig": "configuration_x.Config", "AutoModel": "someone/model--modeling_x.Model"}),
        ("tokenizer_config.json", ["someone/model--tokenization_x.Slow", None]),
    ],
)
def test_code_of_another_repository_is_refused(tmp_path: Path, file: str, auto_map: object) -> None:
    (tmp_path / file).write_text(json.dumps({"auto_map": auto_map}))
    with pytest.raises(CheckpointError, match="code of another repository run: someone/model--") as refused:
        own_code(tmp_path)
    assert refused.value.where == f"{tmp_path / file}, auto_map"


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"auto_map": null}', '{"auto_map": {"AutoTokenizer": [null, 3]}}'])
def test_files_that_refer_to_no_code_are_accepted(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    assert own_code(tmp_path) == []
