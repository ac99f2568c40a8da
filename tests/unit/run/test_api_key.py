"""A run's key: made for it, told to nobody; or the one that was given."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.evidence.redaction import NOTHING_PRIVATE, REDACTED, redact
from fixtures.homework import API_KEY
from fixtures.run.api_key import new_key, of_run, to_hide
from fixtures.run.settings import resolve


def key(config: Any, **values: str) -> str:
    return of_run(config, resolve(values.get, lambda _: None, {}, Path("/")))


def config() -> Any:
    return SimpleNamespace(stash=pytest.Stash())


def test_server_of_the_suite_gets_a_key_of_its_own() -> None:
    one, another = config(), config()
    assert key(one) == key(one) != key(another)
    assert len(key(one)) >= 40
    assert to_hide(key(one)) == (key(one),)
    assert redact(f"Invalid key: {new_key()}.", NOTHING_PRIVATE) == f"Invalid key: {REDACTED}."


@pytest.mark.parametrize(("given", "sent"), [({}, API_KEY), ({"api_key": "theirs"}, "theirs")])
def test_server_elsewhere_gets_the_given_key(given: dict[str, str], sent: str) -> None:
    assert key(config(), base_url="http://192.0.2.1:23333/v1", **given) == sent
