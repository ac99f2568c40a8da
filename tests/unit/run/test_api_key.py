"""A run's key: made for it, told to nobody; or the one that was given."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fixtures.evidence.redaction import NOTHING_PRIVATE, REDACTED, redact
from fixtures.homework import API_KEY
from fixtures.run.api_key import new_key, of_run, to_hide
from fixtures.run.settings import Settings, resolve

ELSEWHERE = "http://192.0.2.1:23333/v1"


@dataclass
class Config:
    """What is asked of a pytest config."""

    stash: Any


@pytest.fixture
def config() -> Any:
    return Config(pytest.Stash())


def settings(**values: str) -> Settings:
    return resolve(values.get, lambda _: None, {}, Path("/"))


def test_the_suites_own_server_gets_a_key_of_its_own(config: Any) -> None:
    key = of_run(config, settings())
    assert of_run(config, settings()) == key
    assert of_run(Config(pytest.Stash()), settings()) != key
    assert len(key) >= 40
    assert to_hide(key) == (key,)


def test_a_key_is_known_for_one_even_where_nobody_was_told() -> None:
    assert redact(f"Invalid key: {new_key()}.", NOTHING_PRIVATE) == f"Invalid key: {REDACTED}."


@pytest.mark.parametrize(("given", "sent"), [({}, API_KEY), ({"api_key": "theirs"}, "theirs")])
def test_a_server_elsewhere_gets_the_key_that_was_given(config: Any, given: dict[str, str], sent: str) -> None:
    assert of_run(config, settings(base_url=ELSEWHERE, **given)) == sent


def test_the_homeworks_placeholder_is_no_secret() -> None:
    assert to_hide(API_KEY) == ()
