"""In a real browser: hostile text runs nothing and the page stands; wide and narrow, light and dark."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.evidence.events import Entry
from fixtures.homework import CLAIMS
from fixtures.report import pictures
from fixtures.report.page import standalone
from fixtures.report.pictures import browser, take
from fixtures.report.summary import summarize
from fixtures.texts import Texts
from tests.unit.report import synthetic
from tests.unit.report.hostile import HOSTILE, MARK
from tests.unit.report.hostile import entries as hostile_entries
from tests.unit.small_suite import CONFTEST, SmallSuite, suite

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        importlib.util.find_spec("playwright") is None, reason="playwright is not installed: pip install playwright"
    ),
    pytest.mark.skipif(browser() is None, reason="no Chromium, Chrome or Edge on PATH"),
]

MODULE = """
import logging
from fixtures.errors import ServerDied
from tests.unit.report.hostile import HOSTILE

pytestmark = pytest.mark.gpu
BULK = "A" * 5_000_000


@pytest.mark.claim(Claim(HOSTILE, "chat", beyond=True))
@pytest.mark.parametrize("short", [HOSTILE, 1], ids=[HOSTILE, r"\\x"])
def test_hostile(short, measure):
    measure(HOSTILE, HOSTILE + BULK if short == 1 else HOSTILE, HOSTILE, HOSTILE)
    measure("nan", float("nan"), "", {3, 1})
    print(HOSTILE + BULK)
    logging.warning(HOSTILE)
    assert 0, HOSTILE + BULK


def test_skipped():
    pytest.skip(HOSTILE)


@pytest.mark.xfail(reason=HOSTILE)
def test_xfailed():
    assert 0


def test_own_error():
    raise ServerDied(HOSTILE, where=HOSTILE, detail=HOSTILE + BULK)


@pytest.fixture
def fails():
    yield
    print(HOSTILE + BULK)
    raise RuntimeError(HOSTILE)


def test_teardown(fails):
    pass
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with pictures.chromium(browser() or "") as launched:
        yield launched


class Seen:
    """A page as it was loaded and unfolded: what it wrote to the console, what it asked for, what ran."""

    def __init__(self, chromium: Any, path: Path, width: int = 1280, scheme: str = "light", bypass: bool = True):
        # Without the page's own policy nothing but the escaping protects the reader.
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=bypass, is_mobile=width < 500
        )
        self.page = context.new_page()
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("dialog", lambda dialog: [self.messages.append(dialog.message), dialog.dismiss()])  # type: ignore[func-returns-value]
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        # Whatever is folded would run when it is opened.
        self.page.evaluate("document.querySelectorAll('details').forEach(found => { found.open = true })")
        if self.page.locator("#show_all_details").count():
            self.page.evaluate("document.getElementById('show_all_details').click()")
        self.page.wait_for_timeout(100)

    def assert_harmless(self, path: Path) -> None:
        assert self.page.evaluate("window.pwned") is None
        assert self.messages == []
        assert self.requests == [path.as_uri()]
        assert self.page.locator("script").count() <= 2
        assert self.page.evaluate("document.querySelectorAll('[onerror],[onload],iframe,img[src=x]').length") == 0
        assert Texts("zh").say("homework.outcome.not_accepted") in self.text

    @property
    def text(self) -> str:
        return str(self.page.evaluate("document.body.innerText"))


def written(folder: Path, log: list[Entry]) -> Path:
    path = folder / "report.html"
    path.write_text(standalone(summarize(log), Texts("zh")), encoding="utf-8")
    return path


def test_hostile_events_run_nothing(chromium: Any, tmp_path: Path) -> None:
    path = written(tmp_path, hostile_entries())
    seen = Seen(chromium, path)
    seen.assert_harmless(path)
    assert seen.text.count(MARK) > 50, "it is shown as what it is"
    assert seen.page.locator("#provenance").count() == 1


def test_run_with_hostile_deployment_tests_and_settings_runs_nothing(chromium: Any, small_suite: SmallSuite) -> None:
    (small_suite.path / "conftest.py").write_text(CONFTEST.replace("unit.small_suite", "unit.report.hostile"))
    small_suite.run(suite() + MODULE, "--checkpoint", HOSTILE.replace("\x00", "").encode("utf-8", "ignore").decode())
    page = small_suite.folder / "report.html"
    assert page.stat().st_size < 2_000_000
    for bypass in (True, False):
        seen = Seen(chromium, page, bypass=bypass)
        seen.assert_harmless(page)
        # pytest-html's own table has come up, with every test in it; one whose teardown failed has two rows.
        assert seen.page.locator("#results-table tbody.results-table-row").count() == len(CLAIMS) + 7
        assert seen.page.locator("#environment tr").count() == 0
        assert seen.page.locator("#results-table .col-testId").first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_page_fits_and_follows_the_readers_scheme(chromium: Any, tmp_path: Path, width: int, scheme: str) -> None:
    seen = Seen(chromium, written(tmp_path, synthetic.entries()), width, scheme, bypass=False)
    assert seen.messages == []
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    paper = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 28)")
    assert seen.page.locator("#memory svg.chart:visible").count() == 1
    smallest = seen.page.evaluate(
        """Math.min(...[...document.querySelectorAll('svg.chart text')].filter(t => t.getClientRects().length)
             .map(t => t.getBoundingClientRect().height))"""
    )
    assert smallest >= 12, "letters of the drawing can be read"


def test_button_copies_the_whole_command_and_nothing_else(chromium: Any, tmp_path: Path) -> None:
    page = Seen(chromium, written(tmp_path, synthetic.entries()), bypass=False).page
    assert page.locator("pre[data-copy]").count() == page.locator(".command button").count() == 2
    page.locator(".command button").last.click()
    copied = page.evaluate("getSelection().toString()")
    assert copied.startswith("lmdeploy serve api_server")
    assert copied.strip() == page.locator("pre[data-copy]").last.inner_text().strip()


def test_pictures_are_made_of_what_the_page_marks(tmp_path: Path) -> None:
    assert take(written(tmp_path, synthetic.entries()), tmp_path) == ["timeline.png", "tools.png", "verdict.png"]
    for picture in tmp_path.glob("*.png"):
        content = picture.read_bytes()
        assert content.startswith(b"\x89PNG")
        assert int.from_bytes(content[16:20], "big") == 1800
        assert 400 < int.from_bytes(content[20:24], "big") < 4000
