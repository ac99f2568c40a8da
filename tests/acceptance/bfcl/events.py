"""What a run of the comparison records."""

from dataclasses import dataclass

from fixtures.evidence.events import Event, Json


@dataclass(frozen=True)
class BfclAsked(Event):
    """The questions, by the package's ids in the order in which every server gets them, and its checker's controls.

    `converted` counts what became of the schemas' types and names, such as `dict → object`; `truth` are
    `[accepted, of]` of the package's own answers for each category, `planted` `[refused, of]` for each kind of error
    put into them."""

    package: str
    ids: list[str]
    categories: dict[str, int]
    sample: int | None
    max_tokens: int
    concurrency: int
    converted: dict[str, int]
    truth: dict[str, list[int]]
    planted: dict[str, list[int]]


@dataclass(frozen=True)
class BfclAnswered(Event):
    """What one server answered in one asking (`greedy`, `sampled`, or `again`: greedy once more), in the ids' order.

    `outcomes` are `right`, `wrong`, `refused`, `timeout`, `cut` or `unparsed`; `errors` the package's name of the error
    or what the server said; `replies` calls or text, shortened. `prompt_tokens` are those of one question with its
    tools and without, None where they are not counted. `kept` answers are of an earlier run that was interrupted."""

    name: str
    asking: str
    argv: list[str]
    outcomes: list[str]
    errors: list[Json]
    replies: list[str]
    prompt_tokens: list[int | None]
    answer_tokens: int
    kept: int
    seconds: float
