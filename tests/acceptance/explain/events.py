"""What a search for the cause records. The cause itself is found from this (`cause.py`), whenever a report is made."""

from dataclasses import dataclass, field

from fixtures.evidence.events import Event, Json, Told


@dataclass(frozen=True)
class SearchBegun(Event):
    """What was known before any server was started: the claims that failed, what the artefact's verification found,
    how the deployment was served (`weights`, `quant_policy`, `share`, `backend`), lmdeploy's other engine (empty where
    there is none, as in a rehearsal), and what is known to break such a model."""

    claims: list[str]
    findings: list[Told]
    served: dict[str, Json]
    other_engine: str = ""
    known: list[Told] = field(default_factory=list)


@dataclass(frozen=True)
class ServerTried(Event):
    """A way of serving the checkpoint, asked the same questions with the same seeds.

    `answers` has for each kind of question `right` of `made`, the ids of the faults with their counts, and an example
    of a wrong and of a right reply; `greedy` the text at temperature 0 of each kind and its tokens, where the server
    tells them; `prompt_grows` whether offering tools makes the prompt longer, None where that could not be asked.
    `answers` is empty, and `failed` says why, where it did not start or died."""

    name: str
    weights: str
    quant_policy: int
    backend: str
    argv: list[str]
    answers: dict[str, dict[str, Json]]
    greedy: dict[str, dict[str, Json]]
    prompt_grows: bool | None
    start_seconds: float
    seconds: float
    failed: Told = ""
