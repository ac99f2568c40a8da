"""One way from a value to HTML, and one to Markdown."""

import pytest

from fixtures.report.markup import Html, cap, escape, join, raw, tag
from fixtures.report.template import fenced, inline
from fixtures.run.printable import clean
from tests.unit.report.hostile import HOSTILE


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\r\nb\tc", "a\nb\tc"), ("a\rb\x00", "a␍b␀"), ("\x1b[31mred\x1b[0m", "red"), ("\x1b]0;title", ""),
        ("\x1b]8;;javascript:x\x07link\x1b]8;;\x07", "link"), ("\ud800", "\\ud800"), ("\x7f\x85", "␡\ufffd"),
        ("a\u202eb", "a<U+202E>b"), (None, "None"), (3, "3"),
    ],
)  # fmt: skip
def test_text_is_shown_as_what_it_is(text: object, shown: str) -> None:
    assert clean(text) == shown
    clean(text).encode("utf-8")


def test_text_is_escaped_once_in_elements_and_in_attributes() -> None:
    assert tag("p", "<b>", title='"><i>') == '<p title="&quot;&gt;&lt;i&gt;">&lt;b&gt;</p>'
    assert tag("p", tag("b", "&"), "&") == "<p><b>&amp;</b>&amp;</p>"
    assert escape(escape("<")) == "&lt;"
    assert join("<", raw("<br>"), None, "") == "&lt;<br>"
    assert not isinstance(Html("<b>") + "<script>", Html), "adding makes plain text again"


def test_hostile_text_leaves_no_bracket() -> None:
    shown = escape(HOSTILE)
    assert not set("<>\"'\x00\x1b\u202e") & set(shown)
    shown.encode("utf-8")


def test_long_text_keeps_its_beginning_and_its_end() -> None:
    shown = cap("a" * 5_000_000 + "end", 1000, "[cut]")
    assert len(shown) < 1100
    assert (shown[:3], shown[-3:]) == ("aaa", "end")
    assert "\n[cut]\n" in shown


def test_markdown_stays_text_in_a_line_and_in_a_code_block() -> None:
    assert inline("a | b\n<i> `c` *d* _e_ f_g") == "a ｜ b ＜i＞ ｀c｀ ＊d＊ ＿e＿ f_g"
    assert fenced("a\n````\nb").splitlines()[0] == "`````text"
