"""What a rehearsal of a large checkpoint is said to take, and what follows from it."""

from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest

from fixtures.evidence.events import RehearsalForecast
from fixtures.lmdeploy.families import Architecture
from fixtures.rehearsal import forecast
from fixtures.rehearsal.forecast import Machine, available_memory, foretell, patient
from fixtures.run.settings import SETTINGS, Settings
from fixtures.session.recording import EVIDENCE
from fixtures.standin.checkpoint import ARCHITECTURE, INTERNLM2_5_1_8B
from tests.unit.tiny_checkpoint import write_checkpoint

CONFIG = {"architectures": [ARCHITECTURE], **asdict(INTERNLM2_5_1_8B)}
MACHINE = Machine(operations=1e11, bandwidth=1e10, memory=2**34)


@pytest.mark.parametrize(
    ("shape", "machine", "more"),
    [
        ({"num_hidden_layers": 48}, {}, {"quantize", "start", "token", "total", "memory"}),
        ({"vocab_size": 200_000}, {}, {"quantize", "start", "token", "total", "memory"}),
        ({}, {"operations": 5e10}, {"quantize", "total"}),
        ({}, {"bandwidth": 5e9}, {"quantize", "start", "token", "total"}),
        ({}, {"memory": 2**33}, set()),
    ],
)
def test_forecast_follows_from_shape_and_machine(shape, machine, more):
    plain = asdict(foretell(Architecture.of(CONFIG), MACHINE))
    other = asdict(foretell(Architecture.of(CONFIG | shape), replace(MACHINE, **machine)))
    assert {name for name in plain if other[name] > plain[name]} == more
    assert {name for name in plain if other[name] == plain[name]} == plain.keys() - more


@pytest.mark.parametrize(("limit", "left"), [("max", None), ("1000000", 400_000), (None, None)])
def test_memory_is_the_containers_where_that_is_less(tmp_path, monkeypatch, limit, left):
    monkeypatch.setattr(forecast.psutil, "virtual_memory", lambda: SimpleNamespace(available=5_000_000))
    for name, text in (("memory.max", limit), ("memory.current", "600000")):
        if text is not None:
            (tmp_path / name).write_text(f"{text}\n")
    assert available_memory(tmp_path) == (left or 5_000_000)


def test_steps_get_their_time_unless_the_user_has_said_how_long():
    slow = foretell(Architecture.of(CONFIG), replace(MACHINE, operations=1e9, bandwidth=1e8))
    given = patient(Settings(request_timeout=7.0), slow)
    assert given.request_timeout == 7.0
    assert given.quantize_timeout > slow.quantize > Settings.quantize_timeout
    fast = foretell(Architecture.of(CONFIG), replace(MACHINE, operations=1e15, bandwidth=1e15))
    assert patient(Settings(), fast) == Settings()


@pytest.mark.parametrize(
    ("changes", "memory", "told", "refused"),
    [
        ({}, 2**50, True, False),
        ({}, 2**20, True, True),
        ({"rehearse": False}, 2**20, False, False),
        ({"checkpoint": "standin"}, 2**20, False, False),
        ({"checkpoint": "nowhere"}, 2**20, False, False),
    ],
    ids=["enough", "too little", "on a GPU", "standin", "missing"],
)
def test_large_checkpoint_is_told_of_and_refused_where_memory_will_not_do(
    tmp_path, monkeypatch, changes, memory, told, refused
):
    write_checkpoint(tmp_path / "model")
    monkeypatch.setattr(forecast, "is_small", lambda _: False)
    monkeypatch.setattr(forecast, "measured", lambda *_: replace(MACHINE, memory=memory))
    lines, events = [], []
    settings = replace(Settings(checkpoint=str(tmp_path / "model"), rehearse=True), **changes)
    config = SimpleNamespace(
        stash={SETTINGS: settings, EVIDENCE: SimpleNamespace(append=events.append)},
        option=SimpleNamespace(collectonly=False),
        getoption=lambda *_: "en",
        pluginmanager=SimpleNamespace(get_plugin=lambda _: SimpleNamespace(write_line=lines.append)),
    )
    monkeypatch.setattr(forecast, "output_of", lambda _: SimpleNamespace(report_lang="en"))
    session = SimpleNamespace(config=config, items=[SimpleNamespace(fixturenames=["quantized"])])
    if refused:
        with pytest.raises(pytest.UsageError, match="GiB of memory"):
            forecast.pytest_runtestloop(session)
    else:
        forecast.pytest_runtestloop(session)
    assert bool(lines) == told
    assert [type(event) for event in events] == [RehearsalForecast] * told
