"""An artefact of lmdeploy's own quantizer is not flagged, and each way of damaging it is, by its layer."""

import shutil
from pathlib import Path

import pytest
import torch

from fixtures.model.artefact.verification import verify
from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.standin.checkpoint import STANDIN
from tools.artefact.corruptions import CATALOGUE, Corruption, apply
from tools.artefact.stored import WEIGHTS, read_all


def test_artefact_of_lmdeploy_is_right(quantized: QuantizedCheckpoint) -> None:
    result = verify(STANDIN, quantized.folder)
    assert [str(finding) for finding in result.findings] == []
    assert result.found_bytes == result.predicted_bytes


@pytest.mark.parametrize("corruption", CATALOGUE, ids=[corruption.name for corruption in CATALOGUE])
def test_corruption_of_it_is_caught_and_named(
    corruption: Corruption, quantized: QuantizedCheckpoint, tmp_path: Path
) -> None:
    result = verify(STANDIN, apply(corruption, STANDIN, quantized.folder, tmp_path / "damaged"))
    assert corruption.caught_by(result.findings), [str(finding) for finding in result.findings]


@pytest.fixture
def pickled(quantized: QuantizedCheckpoint, tmp_path: Path) -> Path:
    """The artefact as lmdeploy up to 0.8.0 writes it: `pytorch_model.bin`."""
    shutil.copytree(quantized.folder, tmp_path / "pickled")
    tensors = {}
    for name, (dtype, values) in read_all(quantized.folder).items():
        whole = torch.from_numpy(values.view("int16") if dtype == "BF16" else values)
        tensors[name] = whole.view(torch.bfloat16) if dtype == "BF16" else whole
    torch.save(tensors, tmp_path / "pickled" / "pytorch_model.bin")
    (tmp_path / "pickled" / WEIGHTS).unlink()
    return tmp_path / "pickled"


def test_pickled_weights_are_read_as_weights_alone(pickled: Path) -> None:
    assert [str(finding) for finding in verify(STANDIN, pickled).findings] == []
    file = pickled / "pytorch_model.bin"
    file.write_bytes(file.read_bytes()[:-1000])
    (finding,) = verify(STANDIN, pickled).findings
    assert finding.what.fields["reason"].id == "error.not_weights_alone.what"
