"""Several workers, replicas or cards: the page says which server ran where, and shows one of them in full."""

from __future__ import annotations

from dataclasses import replace

from fixtures.evidence.events import (
    Entry,
    Measured,
    ServerLaunched,
    ServerReady,
    ServerStopped,
    VramExpected,
    VramSampled,
)
from fixtures.report.page import standalone
from fixtures.report.servers_section import servers_section
from fixtures.report.summary import summarize
from fixtures.texts import Texts
from tests.unit.report import synthetic

ENGLISH = Texts("en")


def by_workers() -> list[Entry]:
    """The synthetic run as gw1 saw it, and what gw0 saw of a server of its own."""
    entries = [replace(entry, worker="gw1") for entry in synthetic.entries()]
    first, last = replace(entries[0], worker=""), replace(entries[-1], worker="")
    t = entries[5].t
    others = (
        ServerLaunched([*synthetic.SERVE_ARGV, "--elsewhere"], "http://127.0.0.1:1"),
        ServerReady(12.0, ["m"]),
        VramExpected(0.0, 77_000.0, 78_000.0, {}, {}),
        VramSampled([[t, 70_000.0]]),
        ServerStopped(0, 1.0),
    )
    own = [Entry(t, first.at, event, "gw0") for event in others]
    return [first, *own, *entries[1:-1], last]


def test_a_run_of_one_server_has_no_such_section() -> None:
    assert servers_section(summarize(synthetic.entries()), ENGLISH) is None


def test_every_workers_server_is_listed() -> None:
    run = summarize(by_workers())
    section = str(servers_section(run, ENGLISH))
    assert "gw0" in section
    assert "gw1" in section
    assert "12 s" in section
    assert section in standalone(run, ENGLISH)


def test_what_is_shown_in_full_is_the_server_that_the_homework_is_about() -> None:
    run = summarize(by_workers())
    assert run.shown_worker == "gw1"
    assert run.launched is not None
    assert "--elsewhere" not in run.launched.argv
    assert run.memory is not None
    assert run.memory.expected is not None
    assert run.memory.expected.terms
    assert 70_000.0 not in [mib for _, mib in run.memory.samples]
    assert run.verdict.accepted


def test_every_card_is_listed_and_the_first_is_drawn() -> None:
    entries = synthetic.entries()
    at = next(number for number, entry in enumerate(entries) if isinstance(entry.event, VramExpected))
    second = replace(entries[at].event, gpu=1)
    samples = VramSampled([[entries[-2].t, 44_444.0]], gpu=1)
    entries[at + 1 : at + 1] = [replace(entries[at], event=second)]
    entries.insert(-1, replace(entries[-2], event=samples))
    run = summarize(entries)
    assert run.memory is not None
    assert 44_444.0 not in [mib for _, mib in run.memory.samples]
    assert run.memory.expected is not None
    assert run.memory.expected.gpu == 0
    assert "43.4 GiB" in str(servers_section(run, ENGLISH))


def test_replicas_are_named_with_their_distributor() -> None:
    entries = synthetic.entries()
    at = next(number for number, entry in enumerate(entries) if isinstance(entry.event, ServerLaunched))
    launched = entries[at].event
    assert isinstance(launched, ServerLaunched)
    entries[at : at + 1] = [
        replace(entries[at], event=event)
        for event in (
            ServerLaunched(["lmdeploy", "serve", "proxy"], "http://127.0.0.1:8000", "proxy", "proxy"),
            replace(launched, name="1 of 2", gpus=["GPU-0"]),
            replace(launched, name="2 of 2", gpus=["GPU-1"]),
        )
    ]
    run = summarize(entries)
    section = str(servers_section(run, ENGLISH))
    assert all(words in section for words in ("proxy proxy", "api_server 1 of 2", "GPU-1"))
    assert run.launched == replace(launched, name="2 of 2", gpus=["GPU-1"])
    assert any(isinstance(entry.event, Measured) for entry in run.entries)
