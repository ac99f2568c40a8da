"""The model greets back."""

import pytest

from fixtures.client.client import Client
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure

pytestmark = [pytest.mark.gpu, pytest.mark.greeting]


@claim("greeting.answers", part="chat", zh="问好时有回应", en="The model greets back")
def test_greeting_is_answered(client: Client, measure: Measure) -> None:
    """Anything but silence."""
    answer = client.ask([{"role": "user", "content": "你好"}], max_tokens=64)
    measure("length", len(answer.text), "characters", at_least=1)
    assert answer.text.strip()
