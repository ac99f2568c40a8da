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
    begun, tried = _search(run), run.all(ServerTried)
    if begun is None:
        hint = tag("p", texts.say("explain.hint"))
        return tag("section", tag("h2", texts.say("explain")), hint, id="explain") if _is_unexplained(run) else None
    found = causes(begun, tried, kinds(begun.claims))
    told = (tag("li", tag("b", about), texts.say("colon"), why) for about, why in _told(found, texts))
    return tag(
        "section",
        tag("h2", texts.say("explain"), stamps(run, texts)),
        tag("p", texts.say("explain.how"), class_="note"),
        tag("ul", *told) if found else tag("p", texts.say("explain.unknown"), class_="absent"),
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


def advice(run: RunSummary, texts: Texts) -> list[str]:
    """Tell on the console what broke it, or how to find out."""
    if begun := _search(run):
        found = causes(begun, run.all(ServerTried), kinds(begun.claims))
        told = [f"{about}{texts.say('colon')}{why}" for about, why in _told(found, texts)]
        return [f"{texts.say('explain')}{texts.say('colon')}", *(f"  {line}" for line in told)]
    return [texts.say("explain.how_to")] if _is_unexplained(run) else []


def _search(run: RunSummary) -> SearchBegun | None:
    return next(iter(run.all(SearchBegun)), None)


def _is_unexplained(run: RunSummary) -> bool:
    """Whether a claim about content failed, of a deployment of which other ways to serve it could be tried."""
    broken = any(is_about_content(one.claim.id) and one.state == "failed" for one in run.verdict.claims)
    return run.suite is HOMEWORK and broken and run.quantized is not None and run.ready is not None


def _told(found: list[Cause], texts: Texts) -> list[tuple[str, str]]:
    """Tell each cause once, behind the kinds of questions that fail for it."""
    sentences: dict[str, list[str]] = {}
    for cause in found:
        sentences.setdefault(brief(texts.tell(cause.told)), []).append(texts.say(f"explain.kind.{cause.kind}"))
    return [(texts.say("list").join(about), why) for why, about in sentences.items()]


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
