"""What the terminal shows of a stage that goes on."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.model.quantization_steps import follow
from fixtures.run.output import Output
from fixtures.run.progress import Progress
from fixtures.texts import message

ENDED_ZH = "沿用先前的量化结果（0123，当时用了 58 s）"
ENDED = "an earlier result is used (0123, made in 58 s)"


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        (
            "zh",
            ["量化：0 s", "量化：2 s 平滑第 2/24 层的权重", "量化：3.0 s 沿用先前的量化结果（0123，当时用了 58 s）"],
        ),
        ("en", ["quantize: 0 s", "quantize: 2 s smoothing the weights of layer 2 of 24", f"quantize: 3.0 s {ENDED}"]),
    ],
)
def test_a_stage_is_told_in_the_language_of_the_run(
    monkeypatch: pytest.MonkeyPatch, language: str, shown: list[str]
) -> None:
    lines: list[str] = []
    terminal = SimpleNamespace(hasmarkup=False, fullwidth=100)
    reporter = SimpleNamespace(_tw=terminal, ensure_newline=lambda: None, write_line=lines.append)
    plugins = {"terminalreporter": reporter, "capturemanager": SimpleNamespace(global_and_fixture_disabled=nullcontext)}
    config: Any = SimpleNamespace(pluginmanager=SimpleNamespace(get_plugin=plugins.get))
    monkeypatch.setattr("fixtures.run.progress.output_of", lambda _: Output(report_lang=language))
    monkeypatch.setattr("fixtures.run.progress.LOG_INTERVAL", 1.0)
    seconds = iter([0.0, 0.0, 0.0, 2.0, 2.0, 3.0])
    with Progress(config, clock=lambda: next(seconds)).stage("quantize") as going:
        going(message("progress.smoothing", done=2, layers=24))
        going.ending = message("progress.cached", folder="0123", seconds=58)
    assert lines == shown


LOG = [
    "Loading checkpoint shards:  50%|#####     | 1/2",
    "2026-11-27 18:54:12,078 - lmdeploy - WARNING - something",
    "model.layers.0, samples: 128, max gpu memory: 3.99 GB",
    "model.layers.1, samples: 128, max gpu memory: 4.99 GB",
    "model.layers.3, samples: 128, max gpu memory: 4.99 GB",
    "model.layers.3 smooth weight done.",
    "model.layers.3.feed_forward.w2 weight packed.",
]


def test_layers_are_counted_and_the_time_left_follows_from_them() -> None:
    shown: list[Any] = []
    seconds = iter([10.0, 13.0, 19.0])
    on_line = follow(shown.append, 5, clock=lambda: next(seconds))
    for line in LOG:
        on_line(line)
    assert [one if isinstance(one, str) else str(one) for one in shown] == [
        "loading the weights and the calibration text",
        LOG[0],
        "calibrating layer 1 of 5",
        "calibrating layer 2 of 5, about 9 s left for this step",
        "calibrating layer 4 of 5, about 3 s left for this step",
        "smoothing the weights of layer 4 of 5",
        "packing the weights of layer 4 of 5",
    ]
