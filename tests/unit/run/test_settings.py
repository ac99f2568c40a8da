"""Settings: three sources, one precedence, and nonsense refused before anything starts."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from fixtures.errors import SettingsError
from fixtures.run.options import OPTIONS, OUTPUT
from fixtures.run.settings import Settings, resolve, shown_command

ROOT = Path("/somewhere")


def given(**values: str) -> Callable[[str], str | None]:
    return values.get


def settings(command_line: dict[str, str] | None = None, **environment: str) -> Settings:
    return resolve(given(**(command_line or {})), given(), environment, ROOT)


def test_every_option_is_a_setting() -> None:
    assert [field.name for field in fields(Settings)] == [option.name for option in OPTIONS]


def test_the_defaults_are_the_homeworks() -> None:
    defaults = settings()
    assert (defaults.quant_policy, defaults.cache_max_entry_count, defaults.tp) == (4, 0.4, 1)
    assert defaults.server_name == "127.0.0.1"
    assert defaults.work_dir == ROOT / ".acceptance"
    assert defaults.changed() == {}


def test_the_command_line_wins_over_ini_and_ini_over_environment() -> None:
    environment = {"ACCEPTANCE_TP": "4"}
    assert resolve(given(tp="2"), given(tp="3"), environment, ROOT).tp == 2
    assert resolve(given(), given(tp="3"), environment, ROOT).tp == 3
    assert resolve(given(), given(), environment, ROOT).tp == 4


def test_an_empty_environment_variable_is_not_set() -> None:
    assert settings(ACCEPTANCE_TP="").tp == 1


def test_what_differs_from_the_homework_is_named() -> None:
    assert settings({"quant_policy": "0", "tp": "1"}).changed() == {"quant_policy": 0}


def test_folders_are_shown_by_name_only() -> None:
    shown = settings({"checkpoint": "/home/someone/models/internlm2_5-1_8b-chat"}).shown()
    assert shown["checkpoint"] == "internlm2_5-1_8b-chat"
    assert "/" not in shown["work_dir"]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("cache_max_entry_count", "1.5", "above 0 and at most 1"),
        ("cache_max_entry_count", "0", "above 0"),
        ("cache_max_entry_count", "nan", "above 0"),
        ("cache_max_entry_count", "much", "must be a number"),
        ("quant_policy", "5", "must be 0 (16-bit KV cache), 4 (int4) or 8 (int8)"),
        ("session_len", "-1", "from 64"),
        ("tp", "two", "whole number"),
        ("backend", "vllm", "turbomind, pytorch"),
        ("server_port", "70000", "from 0 to 65535"),
        ("server_name", "no such host!", "no address of this machine"),
        ("calibration", "none", "auto, hub, local"),
        ("vram_limit_gib", "-3", "above 0"),
        ("vram_pattern", "(", "no regular expression"),
        ("vram_pattern", r"(\d+)", "no group named 'used'"),
        ("checkpoint", "", "must be a folder, 'standin' or 'geometry', not ''"),
        ("work_dir", " ", "must be a folder"),
        ("work_dir", __file__, "test_settings.py is a file"),
        ("work_dir", f"{__file__}/below", "test_settings.py is a file"),
        ("call_tries", "0", "from 1"),
        ("rehearse", "perhaps", "true or false"),
        ("profile", "lax", "homework, strict"),
        ("trials", "79", "from 80"),
        ("trials", "200", "the profile is homework"),
        ("base_url", "host:23333", "http://host:23333/v1"),
        ("base_url", "ftp://host/v1", "http://host:23333/v1"),
        ("base_url", "http://host:port/v1", "http://host:23333/v1"),
        ("base_url", "http://someone:secret@host/v1", "no user, query or fragment"),
        ("base_url", "http://host/v1?key=secret", "no user, query or fragment"),
        ("api_key", "sk-secret", "no server that it is for"),
    ],
)
def test_nonsense_is_refused_with_its_option_named(name: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings({name: value})
    assert words in str(refused.value)
    assert "--" + name.replace("_", "-") in str(refused.value)


def test_help_shows_the_defaults_as_the_readme_writes_them() -> None:
    shown = {option.name: option.shown_default for option in (*OPTIONS, *OUTPUT)}
    assert shown["quantize_timeout"] == "7200"
    assert shown["cache_max_entry_count"] == "0.4"
    assert shown["rehearse"] == "off"
    assert shown["session_len"] == "lmdeploy's"
    assert "" not in shown.values()


def test_a_probe_command_needs_the_cards_size() -> None:
    command = {"vram_command": "studio-smi", "vram_pattern": r"(?P<used>\d+)"}
    with pytest.raises(SettingsError, match="how large the card is"):
        settings(command)
    assert settings(command | {"vram_total_gib": "24"}).vram_total_gib == 24


def test_the_source_of_a_bad_value_is_named() -> None:
    with pytest.raises(SettingsError, match="environment, ACCEPTANCE_TP"):
        settings(ACCEPTANCE_TP="zero")


SERVER = {"base_url": "http://host:23333/v1/"}


def test_trials_are_counted_under_the_strict_profile() -> None:
    assert settings({"profile": "strict"}).trials is None
    assert settings({"profile": "strict", "trials": "500"}).trials == 500


def test_a_server_elsewhere_is_named_by_its_address() -> None:
    assert settings(SERVER).base_url == "http://host:23333/v1"
    with pytest.raises(SettingsError, match="--rehearse starts one"):
        settings({**SERVER, "rehearse": "true"})


def test_a_key_is_never_shown() -> None:
    found = settings(SERVER, ACCEPTANCE_API_KEY="sk-secret")
    assert found.api_key == "sk-secret"
    for shown in (found.shown(), found.changed(), found):
        assert "sk-secret" not in repr(shown)
    assert found.changed()["api_key"] == "given"


@pytest.mark.parametrize("given", [["--api-key", "sk-secret"], ["--api-key=sk-secret"], ["--api-key=sk-\nsecret"]])
def test_a_key_on_the_command_line_is_not_shown(given: list[str]) -> None:
    shown = shown_command(["-m", "gpu", *given, "--tp", "1"])
    assert "secret" not in " ".join(shown)
    assert shown[:3] == ["pytest", "-m", "gpu"]
    assert shown[-2:] == ["--tp", "1"]


def test_a_key_in_an_address_is_not_repeated_in_the_message() -> None:
    with pytest.raises(SettingsError) as refused:
        settings({"base_url": "http://someone:secret@host/v1"})
    assert "secret" not in str(refused.value)
