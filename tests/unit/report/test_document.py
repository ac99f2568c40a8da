"""report.json and post.md follow from the events."""

import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from fixtures.evidence.events import Entry, Event, Exchanged, TryJudged
from fixtures.homework import STORY_PROMPT
from fixtures.report.document import SCHEMA, document, to_text
from fixtures.report.page import standalone
from fixtures.report.post import post
from fixtures.report.summary import RunSummary, summarize
from fixtures.texts import Texts
from tests.unit.report import synthetic
from tests.unit.report.hostile import HOSTILE
from tests.unit.report.hostile import entries as hostile_entries
from tests.unit.waiting import ROOT


def test_document_holds_the_figures(run: RunSummary) -> None:
    value = document(run, "abc")
    assert value["schema"] == SCHEMA
    assert (value["verdict"]["outcome"], value["verdict"]["accepted"]) == ("accepted", True)
    assert value["memory"]["ready_mib"] == 12611.7
    assert value["chat"]["reply"].startswith("从前，山脚下住着一只小狐狸。")
    assert value["evidence"] == {"events": len(run.entries), "events_sha256": "abc"}
    chain = next(claim for claim in value["claims"] if claim["id"] == "tools.chain")
    assert (chain["state"], chain["right"], chain["tries"]) == ("passed", 1, 2)
    assert [call["name"] for call in chain["best_try"]["calls"]] == ["add", "mul"]


@pytest.mark.parametrize(
    "made",
    [
        hostile_entries,
        synthetic.rehearsal,
        lambda: synthetic.entries()[:4],
        list,
    ],
    ids=["hostile", "rehearsal", "hardly begun", "nothing"],
)
def test_any_events_have_a_document_that_is_json_and_accepts_nothing(made: Callable[[], list[Entry]]) -> None:
    text = to_text(document(summarize(made()), ""))
    assert json.loads(text)["verdict"]["accepted"] is False
    text.encode("ascii")


NESTED: list[object] = []
for _ in range(50):  # the log writes deeper ones as text
    NESTED = [NESTED]


@pytest.mark.parametrize(
    "said",
    [
        "狐狸和西瓜。" * 200_000, "\ud800狐狸\udfff" * 9_000, NESTED, dict.fromkeys(map(str, range(30_000)), 1),
        [{"a": 1}] * 30_000,
    ],
    ids=["megabytes", "surrogates", "nested", "keys", "items"],
)  # fmt: skip
def test_report_is_written_and_small_whatever_the_model_said(said: object) -> None:
    message = {"role": "assistant", "content": said, "tool_calls": said}
    body = {"choices": [{"message": message}], "more": said}

    def spoilt(event: Event) -> Event:
        if isinstance(event, Exchanged):
            return replace(event, response=body)
        return replace(event, reply=str(said), reason=str(said)) if isinstance(event, TryJudged) else event

    run = summarize(synthetic.changed(spoilt))
    texts = Texts("zh")
    made = [to_text(document(run, "")), standalone(run, texts), post(run, texts, ())]
    assert max(len(text.encode()) for text in made) < 3 * 2**20


def test_every_field_is_documented(run: RunSummary) -> None:
    described = (ROOT / "docs" / "report-json.md").read_text(encoding="utf-8")
    value = document(run, "")
    parts = [outer for outer in value if isinstance(value[outer], dict) and outer != "stages"]
    names = {*value, *(f"{outer}.{inner}" for outer in parts for inner in value[outer])}
    names |= {f"claims[].{name}" for name in value["claims"][0]}
    assert [name for name in sorted(names) if f"`{name}`" not in described] == []


def test_post_is_ready_to_paste(run: RunSummary) -> None:
    text = post(run, Texts("zh"), ["verdict.png", "tools.png"])
    assert text.startswith("# LMDeploy 量化部署验收报告\n")
    for part in ("## 结论：验收通过", "比独自吃的更甜。", "add(a=3, b=5) -> 8", "> Compute (3+5)*2", "](verdict.png)",
                 "](tools.png)", "| 显存峰值 | 12.45 GiB | 阈值 13.48 GiB |"):  # fmt: skip
        assert part in text
    assert "timeline.png" not in text, "a picture that was not made is not shown"
    assert "\n\n\n" not in text


def test_hostile_reply_stays_in_the_posts_code() -> None:
    def hostile(event: Event) -> Event:
        if isinstance(event, Exchanged) and event.request["messages"][-1]["content"] == STORY_PROMPT:
            return replace(event, response={"choices": [{"message": {"content": f"```\n{HOSTILE}\n# ACCEPTED"}}]})
        return event

    text = post(summarize(synthetic.changed(hostile)), Texts("en"), [])
    text.encode("utf-8")
    outside = re.sub(r"(?ms)^(`{3,})\w+\n.*?\n\1$", "", text)
    assert "pwned" not in outside
    assert "# ACCEPTED" not in outside.replace("## Verdict: ACCEPTED", "")
