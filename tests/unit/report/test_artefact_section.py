"""The artefact in the report: its size in a line, each layer's error as a drawing, the calibration, what is wrong."""

from __future__ import annotations

from dataclasses import replace

from fixtures.evidence.events import ArtefactVerified, Quantized
from fixtures.report.artefact_section import artefact_section
from fixtures.report.summary import summarize
from fixtures.texts import Texts
from tests.unit.report import synthetic


def shown(*, language: str = "en", artefact: ArtefactVerified | None = None, calibrated: bool = True) -> str:
    """The section of the synthetic run, with another verification or without a look at the calibration text."""
    entries = []
    for entry in synthetic.entries():
        event = entry.event
        if isinstance(event, ArtefactVerified):
            event = artefact or event
        if isinstance(event, Quantized) and not calibrated:
            event = replace(event, calibration_text={})
        entries.append(replace(entry, event=event))
    return str(artefact_section(summarize(entries), Texts(language)))


def test_the_size_and_the_comparison_are_said_in_plain_words() -> None:
    found = shown()
    assert "2.35 times smaller" in found
    assert "120 quantized layers compared with the source" in found
    assert "逐个权重与原模型比较" in shown(language="zh")


def test_each_layer_has_a_mark_in_both_drawings_and_the_worst_is_named() -> None:
    found = shown()
    assert found.count('class="layer-mark') == 2 * (120 + 5)
    assert "largest 14.7%: feed_forward.w2" in found


def test_what_is_wrong_comes_with_its_layer() -> None:
    wrong = ArtefactVerified(
        ["model.layers.3.attention.wqkv has a scale that is zero"],
        [["model.layers.3.attention.wqkv", 1.4]],
        8,
        4,
        4,
        1.0,
    )
    found = shown(artefact=wrong)
    assert "Not as the source has it: 1" in found
    assert "model.layers.3.attention.wqkv has a scale that is zero" in found


def test_an_artefact_that_could_not_be_read_has_no_drawing() -> None:
    found = shown(artefact=ArtefactVerified(["model.safetensors is truncated"], [], 0, 0, 0, 0.1))
    assert "<svg" not in found
    assert "model.safetensors is truncated" in found


def test_the_calibration_says_how_much_text_there_was() -> None:
    assert "128 samples of 2048 tokens; the text has 1094513 tokens, 0.00% of them unknown" in shown()
    assert "tokens, 0.00%" not in shown(calibrated=False)


def test_a_run_without_quantization_has_no_such_section() -> None:
    entries = [entry for entry in synthetic.entries() if not isinstance(entry.event, (Quantized, ArtefactVerified))]
    assert artefact_section(summarize(entries), Texts("en")) is None
