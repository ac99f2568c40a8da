"""Options: three sources, one precedence, and nonsense refused before anything starts."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.errors import SettingsError
from fixtures.run.options import read, unread
from fixtures.run.output import Output
from fixtures.run.settings import Settings, resolve, shown_command

ROOT = Path("/somewhere")
SERVER = {"base_url": "http://host:23333/v1/"}


def given(**values: str) -> Callable[[str], str | None]:
    return values.get


def settings(command_line: dict[str, str] | None = None, **environment: str) -> Settings:
    return resolve(given(**(command_line or {})), given(), environment, ROOT)


def test_defaults_are_the_homeworks() -> None:
    defaults = settings()
    assert (defaults.quant_policy, defaults.cache_max_entry_count, defaults.tp) == (4, 0.4, 1)
    assert (defaults.server_name, defaults.work_dir) == ("127.0.0.1", ROOT / ".acceptance")
    assert defaults.changed() == {}
    assert settings({"quant_policy": "0", "tp": "1"}).changed() == {"quant_policy": 0}


def test_command_line_wins_over_ini_and_ini_over_environment() -> None:
    environment = {"ACCEPTANCE_TP": "4", "ACCEPTANCE_REPORT_LANG": "en"}
    assert resolve(given(tp="2"), given(tp="3"), environment, ROOT).tp == 2
    assert resolve(given(), given(tp="3"), environment, ROOT).tp == 3
    assert resolve(given(), given(), environment, ROOT).tp == 4
    output = read(Output, given(evidence_dir="/elsewhere"), given(contract_dir="c"), environment, ROOT)
    assert output == Output(Path("/elsewhere"), ROOT / "c", "en", "auto")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("cache_max_entry_count", "1.5", "above 0 and at most 1"),
        ("cache_max_entry_count", "0", "above 0"),
        ("cache_max_entry_count", "nan", "above 0"),
        ("cache_max_entry_count", "much", "must be a number"),
        ("quant_policy", "5", "must be 0 (16-bit KV cache), 4 (int4) or 8 (int8)"),
        ("session_len", "64", "from 640"),
        ("tp", "two", "whole number"),
        ("backend", "vllm", "one of turbomind; pytorch"),
        ("server_name", "no such host!", "no address of this machine"),
        ("server_name", "203.0.113.9", "no address of this machine"),
        ("vram_pattern", "(", "must be a regular expression"),
        ("vram_pattern", r"(\d+)", "a group named `used`"),
        ("checkpoint", "", "must not be empty, not ''"),
        ("work_dir", " ", "must not be empty"),
        ("work_dir", f"{__file__}/below", "test_settings.py is a file"),
        ("rehearse", "perhaps", "true or false"),
        ("trials", "200", "the profile is homework"),
        ("base_url", "host:23333", "http://host:23333/v1"),
        ("base_url", "http://host:port/v1", "http://host:23333/v1"),
        ("base_url", "http://someone:secret@host/v1", "no user, query or fragment"),
        ("base_url", "http://host/v1?key=secret", "no user, query or fragment"),
        ("api_key", "sk-secret", "no server that it is for"),
        ("api_key", "密钥", "visible ASCII characters alone, without blanks and line ends, not given"),
        ("api_key", "sk-sec\nret", "--api-key must be of visible ASCII characters alone"),
        ("work_dir", "~nobody-of-this-name/work", "name a user of this machine"),
        ("checkpoint", "~nobody-of-this-name/model", "name a user of this machine"),
        ("checkpoint", "$NOT_SET_ANYWHERE/model", "use variables that are set, and $NOT_SET_ANYWHERE is not"),
        ("work_dir", "${NOT_SET_ANYWHERE}/work", "use variables that are set, and ${NOT_SET_ANYWHERE} is not"),
    ],
)
def test_nonsense_is_refused_with_its_option_named(name: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings({name: value})
    assert words in str(refused.value)
    assert "--" + name.replace("_", "-") in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("together", "refused"),
    [
        ({**SERVER, "rehearse": "true"}, "rehearsal_of_server"),
        ({**SERVER, "replicas": "2"}, "several_at_base_url"),
        ({"vram_command": "studio-smi", "tp": "2"}, "several_at_vram_command"),
        ({"vram_command": "studio-smi", "vram_pattern": r"(?P<used>\d+)"}, "card_size_unknown"),
        ({"vram_command": "studio-smi", "vram_pattern": r"(?P<used>\d+)", "vram_total_gib": "24"}, None),
        ({"profile": "strict", "trials": "500"}, None),
        (SERVER, None),
    ],
)
def test_options_that_exclude_each_other_are_refused(together: dict[str, str], refused: str | None) -> None:
    if refused is None:
        assert settings(together).changed()
        return
    with pytest.raises(SettingsError) as error:
        settings(together)
    assert error.value.id == refused


def test_folders_are_shown_by_name_and_a_key_not_at_all() -> None:
    found = settings({**SERVER, "checkpoint": "/home/someone/internlm2_5-1_8b-chat"}, ACCEPTANCE_API_KEY="sk-secret")
    assert (found.base_url, found.api_key) == ("http://host:23333/v1", "sk-secret")
    assert (found.shown()["checkpoint"], found.shown()["work_dir"]) == ("internlm2_5-1_8b-chat", ".acceptance")
    assert found.changed()["api_key"] == "given"
    assert "sk-secret" not in f"{found.shown()} {found.changed()} {found!r}"


@pytest.mark.parametrize("given", [["--api-key", "sk-secret"], ["--api-key=sk-secret"], ["--api-key=sk-\nsecret"]])
def test_key_on_the_command_line_is_not_shown(given: list[str]) -> None:
    shown = shown_command(["-m", "gpu", *given, "--tp", "1"])
    assert "secret" not in " ".join(shown)
    assert (shown[:3], shown[-2:]) == (["pytest", "-m", "gpu"], ["--tp", "1"])


def test_home_and_variables_that_a_shell_has_left_are_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert settings({"work_dir": "$HOME/work"}).work_dir == Path("/home/someone/work")
    assert settings({"work_dir": "~/work"}).work_dir == Path("/home/someone/work")
    assert settings({"checkpoint": "~/chat"}).checkpoint == "/home/someone/chat"
    assert settings({**SERVER, "api_key": "sk-of-a-file\r\n"}).api_key == "sk-of-a-file"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ACCEPTANCE_QUANTPOLICY", "ACCEPTANCE_QUANT_POLICY"),
        ("ACCEPTANCE_BASEURL", "ACCEPTANCE_BASE_URL"),
        ("ACCEPTANCE_QUANT_POLICY", None),
        ("ACCEPTANCE_TEST_OF_ANOTHER_PROGRAM", None),
        ("QUANT_POLICY", None),
    ],
)
def test_variable_that_no_option_reads_is_named_where_it_is_nearly_one(name: str, meant: str | None) -> None:
    error = unread({name: "8", "PATH": "/bin"}, [Settings])
    assert (error.fields["meant"] if error else None) == meant
