"""The report's part on what broke it: the cause in one sentence, and how each server answered beside it."""

from fixtures.errors import said
from fixtures.report.markup import Html, brief, grid, tag
from fixtures.report.stamp import stamps
from fixtures.report.summary import RunSummary
from fixtures.suites import HOMEWORK
from fixtures.texts import Texts
from tests.acceptance.explain.asking import is_about_content, kinds
from tests.acceptance.explain.cause import Cause, causes, first_difference
from tests.acceptance.explain.events import SearchBegun, ServerTried


def section(run: RunSummary, texts: Texts) -> Html | None:
    """Make the section. Where claims about content failed and no cause was looked for, it says how to; else None."""
    begun = next(iter(run.all(SearchBegun)), None)
    if begun is None:
        broken = [one for one in run.verdict.claims if is_about_content(one.claim.id) and one.state == "failed"]
        return _hint(texts) if run.suite is HOMEWORK and broken and run.quantized else None
    tried = run.all(ServerTried)
    found = causes(begun, tried, kinds(begun.claims))
    return tag(
        "section",
        tag("h2", texts.say("explain"), stamps(run, texts)),
        tag("p", texts.say("explain.how"), class_="note"),
        _causes(found, texts) if found else tag("p", texts.say("explain.unknown"), class_="absent"),
        *(
            tag("p", texts.say("explain.known", what=one))
            for one in begun.known
            if any(cause.id in ("kv", "engine") for cause in found)
        ),
        _table(tried, texts),
        _examples(tried, texts),
        _differences(tried, texts),
        id="explain",
    )


def _hint(texts: Texts) -> Html:
    return tag("section", tag("h2", texts.say("explain")), tag("p", texts.say("explain.hint")), id="explain")


def _causes(found: list[Cause], texts: Texts) -> Html:
    """Tell each cause once, with the kinds of questions that fail for it."""
    sentences: dict[str, list[str]] = {}
    for cause in found:
        sentences.setdefault(brief(texts.tell(cause.told)), []).append(texts.say(f"explain.kind.{cause.kind}"))
    items = (
        tag("li", tag("b", texts.say("list").join(kinds)), texts.say("colon"), " ", told)
        for told, kinds in sentences.items()
    )
    return tag("ul", *items)


def _kinds(tried: list[ServerTried]) -> list[str]:
    return list(dict.fromkeys(kind for one in tried for kind in one.answers))


def _table(tried: list[ServerTried], texts: Texts) -> Html:
    """Each server and how often it was right; the deployment's own first."""
    kinds = _kinds(tried)
    heads = [texts.say("explain.server"), *(texts.say(f"explain.kind.{kind}") for kind in kinds)]
    rows = (
        [
            one.name,
            *(
                f"{found['right']} / {found['made']}" if (found := one.answers.get(kind)) else _why(one, texts)
                for kind in kinds
            ),
        ]
        for one in tried
    )
    return grid(heads, rows, class_="numbers")


def _why(one: ServerTried, texts: Texts) -> str:
    return brief(said(one.failed, texts).splitlines()[0]) if one.failed else texts.say("not_measured")


def _examples(tried: list[ServerTried], texts: Texts) -> Html:
    """A wrong and a right reply of each server, of the first kind of question that it got wrong."""
    found = []
    for one in tried:
        kind = next((kind for kind, answers in one.answers.items() if answers["right"] < answers["made"]), None)
        shown = one.answers.get(kind or "", {})
        for id_ in ("wrong", "good"):
            if shown.get(id_):
                label = f"{one.name}, {texts.say(f'explain.kind.{kind}')}, {texts.say(f'explain.{id_}')}"
                found.append(tag("div", tag("p", label, class_="command-title"), tag("pre", brief(shown[id_]))))
    return tag("details", tag("summary", texts.say("explain.examples")), *found) if found else tag("p")


def _differences(tried: list[ServerTried], texts: Texts) -> Html | None:
    """Where greedy replies leave that of the unquantized weights."""
    rows = [
        [one.name, texts.say(f"explain.kind.{kind}"), str(token or "–"), brief(theirs)[:40], brief(own)[:40]]
        for kind in _kinds(tried)
        for one, token, theirs, own in first_difference(tried, kind)
    ]
    heads = [texts.say(f"explain.{id_}") for id_ in ("server", "question", "token", "source_says", "server_says")]
    return tag("details", tag("summary", texts.say("explain.greedy")), grid(heads, rows)) if rows else None
