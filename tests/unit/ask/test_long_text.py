"""Long text, measured by the server's own count."""

import pytest
from fixtures.ask.long_text import SAMPLE, long_text, tokens_per_character

from fixtures.ask.filler import ZH
from fixtures.client.client import Answer
from tests.unit.answers import answer


class Counting:
    """A server whose prompts have 20 tokens of their own and 3 for each 2 characters."""

    def ask(self, messages: list[dict[str, str]], **_: object) -> Answer:
        prompt = 20 + len(messages[0]["content"]) * 3 // 2
        return answer("x", usage={"prompt_tokens": prompt, "completion_tokens": 1, "total_tokens": prompt + 1})


def test_tokens_are_counted_by_the_server_without_the_prompts_own() -> None:
    assert tokens_per_character(Counting()) == pytest.approx(1.5, abs=0.01)  # type: ignore[arg-type]


@pytest.mark.parametrize("tokens", [100, 1200, 30_000])
def test_the_text_is_as_long_as_asked_and_whole(tokens: int) -> None:
    text = long_text(tokens, 1.5)
    longest = max(map(len, ZH)) * 1.5
    assert tokens - longest - 2 < len(text) * 1.5 <= tokens
    assert text.endswith("。")


def test_the_sample_is_long_enough_to_count() -> None:
    assert len(SAMPLE) > 300
