"""What a reader would check by eye."""

from random import Random
from time import process_time

import pytest
from fixtures.judge.reply import chinese_share, excerpt, loop, special_tokens


@pytest.mark.parametrize(
    ("text", "share"),
    [("狐狸吃西瓜。", 1.0), ("The fox eats.", 0.0), ("Tom是狐狸", 0.5), ("", 0.0), ("123 !?。", 0.0)],
)
def test_chinese_share_counts_letters_only(text: str, share: float) -> None:
    assert chinese_share(text) == share


@pytest.mark.parametrize(
    "token", ["<|im_end|>", "<|action_start|>", "<|plugin|>", "<s>", "</s>", "[UNUSED_TOKEN_145]", "\ufffd"]
)
def test_a_leaked_special_token_is_found(token: str) -> None:
    assert special_tokens(f"狐狸{token}") == [token]


@pytest.mark.parametrize("text", ["狐狸和西瓜", "a < b | c > d", "<p>", "3 <|> 4", "[unused]"])
def test_plain_text_holds_no_special_token(text: str) -> None:
    assert special_tokens(text) == []


@pytest.mark.parametrize(
    ("text", "passage"),
    [
        ("从前有一只狐狸。" * 6, "从前有一只狐狸。"),
        ("开始" + "好" * 40, "好"),
        ("Once upon a time. " + "The fox ran. " * 5, None),
        ("西瓜\n" * 30, "西瓜\n"),
        # A shorter repetition before the longer one hides it from a regular expression, which goes on behind it.
        ("b" * 7 + "aa cc " + "bbbbaa cc " * 3, "bbbbaa cc "),
        ("\ud800好 " * 20, "\ud800好 "),
    ],
)
def test_a_loop_is_found(text: str, passage: str | None) -> None:
    found = loop(text)
    assert found is not None
    if passage:
        assert found == passage


@pytest.mark.parametrize(
    "text",
    [
        "哈哈哈哈，狐狸笑了。",
        "等啊等，等啊等，等啊等，西瓜终于熟了。",
        "......",
        "-" * 3,
        "太阳慢慢地落到山的后面去了，狐狸还没有找到那个西瓜。" * 3,
        "",
        "从前有一只狐狸，它住在山脚下。山脚下有一片西瓜地，西瓜又大又圆。狐狸每天都去看西瓜。",
        " " * 200,
        # The most repetitive lines of verse that came to mind.
        "采采芣苢，薄言采之。采采芣苢，薄言有之。采采芣苢，薄言掇之。采采芣苢，薄言捋之。采采芣苢，薄言袺之。",
        "寻寻觅觅，冷冷清清，凄凄惨惨戚戚。",
        "在我的后园，可以看见墙外有两株树，一株是枣树，还有一株也是枣树。",
        "鹅，鹅，鹅，曲项向天歌。",
        "Thou'lt come no more, Never, never, never, never, never!",
        "Howl, howl, howl, howl! O, you are men of stones.",
        "Half a league, half a league, half a league onward",
        "Row, row, row your boat, gently down the stream. Merrily, merrily, merrily, merrily, life is but a dream.",
    ],
)
def test_prose_is_no_loop(text: str) -> None:
    assert loop(text) is None


def test_a_reply_that_never_stops_is_looked_at_in_no_time() -> None:
    """2048 tokens of random words; a search that tries every end for every beginning takes several seconds."""
    rng = Random(1)
    text = "".join(chr(rng.choice([rng.randrange(0x4E00, 0x9FFF), rng.randrange(97, 123), 32])) for _ in range(12_000))
    began = process_time()
    assert loop(text) is None
    assert process_time() - began < 1


def test_an_excerpt_keeps_both_ends() -> None:
    assert excerpt("短") == "短"
    whole = "头" * 100 + "尾" * 100
    assert excerpt(whole) == whole
    assert excerpt(f"{whole}。") == f"{'头' * 100} [...] {'尾' * 99}。"
    assert excerpt("头" * 500 + "尾" * 500) == "头" * 100 + " [...] " + "尾" * 100
