"""docs/troubleshooting.md: what people have reported, and what the suite says of it."""

from collections.abc import Mapping
from typing import Any

from tests.mistakes.catalogue import MISTAKES
from tools.tables import Place
from tools.tables.faults import cell, excerpt


def reports(record: Mapping[str, Any], place: Place) -> str:
    """Tell each mistake of the record in its reporter's words, and the suite's."""
    cases = {case["id"]: case for case in record["cases"]}
    rows = [(each, cases[each.id]) for each in MISTAKES if each.id in cases]
    mistakes = [(each, case) for each, case in rows if each.words]
    named = sum(case["named"] for _, case in mistakes)
    calm = sum(case["named"] for each, case in rows if not each.words)
    told = place.say(
        "mistakes.counted",
        command=record["command"],
        date=record["date"][:10],
        named=place.of(named, len(mistakes)),
        healthy=place.of(calm, len(rows) - len(mistakes)),
        raw=place.raw(),
    )
    lines = (
        {
            "symptom": f"{each.zh if place.language == 'zh' else each.en} ([{_name(each.source)}]({each.source}))",
            "said": cell(excerpt(case["said"], each.words)) or "-",
            "since": each.since if case["named"] else place.say("mistakes.not_yet"),
        }
        for each, case in mistakes
    )
    return f"{told}\n\n{place.table('mistakes.head', lines)}"


def _name(source: str) -> str:
    """`https://github.com/InternLM/lmdeploy/issues/121` -> `lmdeploy 121`."""
    return " ".join(source.split("/")[4::2])
