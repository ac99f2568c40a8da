"""The served tokens of the CPU engine, scored by the reference: of its own files, and of files that are not its."""

from pathlib import Path

import pytest

from fixtures.ask.load import Endpoint
from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.server.api_server import RunningServer
from fixtures.server.in_turn import BF16, HOMEWORK
from tests.acceptance.fidelity.asking import REHEARSED, Reply
from tests.acceptance.fidelity.scoring import asked, scored
from tests.acceptance.fidelity.statistic import Hypothesis, fidelity_fault, find, hypotheses, prompt_fault
from tools.artefact.quantizer import quantize_folder


@pytest.fixture(scope="module")
def told(server: RunningServer) -> list[Reply]:
    """Replies of the homework's server."""
    return asked(Endpoint.of(server), 120.0, "rehearsed", REHEARSED)


def explained(source: Path, artefact: Path, told: list[Reply]) -> list[Hypothesis]:
    arrays = scored(source, artefact, [told], on_cpu=True)
    assert prompt_fault(arrays["0/same_length"].tolist()) is None
    return hypotheses(arrays, 0)


def test_tokens_are_those_of_the_artefact_and_int4_keys(quantized: QuantizedCheckpoint, told: list[Reply]) -> None:
    """The engine asks row by row and token by token, the reference all at once: they agree on every figure."""
    found = explained(quantized.source.folder, quantized.folder, told)
    assert [one.name for one in find(found).possible] == [HOMEWORK.title]
    assert find(found).best.fit < 0.05
    assert fidelity_fault(found, HOMEWORK.title) is None
    fault = fidelity_fault(found, BF16.title)
    assert fault is not None
    assert (fault.id, fault.fields["found"]) == ("fault.of_another", HOMEWORK.title)


def test_tokens_of_another_artefact_are_none_of_them(
    quantized: QuantizedCheckpoint, told: list[Reply], tmp_path: Path
) -> None:
    """The same checkpoint, quantized with other smoothing factors."""
    other = quantize_folder(quantized.source.folder, tmp_path / "other")
    fault = fidelity_fault(explained(quantized.source.folder, other, told), HOMEWORK.title)
    assert fault is not None
    assert fault.id == "fault.of_none"
