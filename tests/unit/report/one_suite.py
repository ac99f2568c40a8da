"""Logs of runs of a single suite. Nothing in them was measured."""

from fixtures.evidence.events import CheckpointIdentified, Entry, EnvironmentRecorded, Event, RunStarted


def run_of(suite: str, *happened: Event) -> list[Entry]:
    """A run of the suite on a GPU, with the stand-in, in which this happened; a second for each event."""
    begun = (
        RunStarted("20261122T190000Z-1add", ["pytest", "-m", suite], {}, {}, "", False, suite=suite),
        CheckpointIdentified("internlm2_5-standin-chat", "standin", "standin", "sha256:0", 1, 1),
        EnvironmentRecorded({"lmdeploy": "0.18.0"}, "3.12.3", "Linux", "NVIDIA H100", 81_559, "580", "13.0"),
    )
    at = "2026-11-22T19:00:00+00:00"
    return [Entry(float(second), at, event) for second, event in enumerate((*begun, *happened))]
