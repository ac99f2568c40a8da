"""report.json and post.md follow from the events."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

from fixtures.evidence.events import Exchanged
from fixtures.homework import STORY_PROMPT
from fixtures.report.document import SCHEMA, document, to_text
from fixtures.report.post import fenced, inline, post
from fixtures.report.summary import summarize
from fixtures.texts import Texts
from tests.unit.report import synthetic
from tests.unit.report.hostile import HOSTILE
from tests.unit.report.hostile import events as hostile_events

ROOT = Path(__file__).parents[3]


def test_the_document_holds_the_figures() -> None:
    value = document(summarize(synthetic.entries()), "abc")
    assert value["schema"] == SCHEMA
    assert value["verdict"]["outcome"] == "accepted"
    assert value["verdict"]["accepted"] is True
    assert value["memory"]["ready_mib"] == synthetic.vram(35.0)
    assert value["chat"]["reply"] == synthetic.STORY
    assert value["evidence"] == {"events": len(synthetic.entries()), "events_sha256": "abc"}
    chain = next(claim for claim in value["claims"] if claim["id"] == "tools.chain")
    assert (chain["state"], chain["right"], chain["tries"]) == ("passed", 1, 2)
    assert [call["name"] for call in chain["best_try"]["calls"]] == ["add", "mul"]


def test_a_rehearsal_is_not_accepted_for_a_program_either() -> None:
    value = document(summarize(synthetic.entries(synthetic.events(rehearsal=True))), "")
    assert value["verdict"]["accepted"] is False
    assert value["memory"] is None


def test_any_events_have_a_document_that_is_json() -> None:
    for log in (synthetic.entries(hostile_events()), synthetic.entries()[:4], []):
        text = to_text(document(summarize(log), ""))
        assert json.loads(text)["verdict"]["accepted"] is False
        text.encode("ascii")


def test_every_field_is_documented() -> None:
    described = (ROOT / "docs" / "report-json.md").read_text(encoding="utf-8")
    value = document(summarize(synthetic.entries()), "")
    names = set(value) | {
        f"{outer}.{inner}" for outer, part in value.items() if isinstance(part, dict) for inner in part
    }
    names |= {f"claims[].{name}" for name in value["claims"][0]}
    assert [name for name in sorted(names) if f"`{name}`" not in described] == []


def test_the_post_is_ready_to_paste() -> None:
    text = post(summarize(synthetic.entries()), Texts("zh"), ["verdict.png", "tools.png"])
    assert text.startswith("# LMDeploy 量化部署验收报告\n")
    assert "## 结论：验收通过" in text
    assert synthetic.STORY in text
    assert "add(a=3, b=5) -> 8" in text
    assert "> Compute (3+5)*2" in text
    assert "](verdict.png)" in text
    assert "](tools.png)" in text
    assert "timeline.png" not in text, "a picture that was not made is not shown"
    assert "\n\n\n" not in text


def test_text_cannot_leave_its_code_block() -> None:
    assert fenced("a\n````\nb").splitlines()[0] == "`````text"
    assert inline("a | b\n<i> `c` *d*") == r"a \| b &lt;i&gt; \`c\` \*d\*"


def test_a_hostile_reply_stays_in_the_posts_code() -> None:
    happened = [
        (t, replace(event, response={"choices": [{"message": {"content": f"```\n{HOSTILE}\n# ACCEPTED"}}]}))
        if isinstance(event, Exchanged) and event.request["messages"][-1]["content"] == STORY_PROMPT
        else (t, event)
        for t, event in synthetic.events()
    ]
    text = post(summarize(synthetic.entries(happened)), Texts("en"), [])
    text.encode("utf-8")
    outside = re.sub(r"(?ms)^(`{3,})\w+\n.*?\n\1$", "", text)
    assert "pwned" not in outside
    assert "# ACCEPTED" not in outside.replace("## Verdict: ACCEPTED", "")
