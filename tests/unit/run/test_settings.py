"""Options: three sources, one precedence, and nonsense refused before anything starts."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.errors import SettingsError
from fixtures.run.options import options_of, read, table
from fixtures.run.output import Output
from fixtures.run.settings import Settings, declared, resolve, shown_command
from fixtures.texts import LANGUAGES
from tests.unit import pytest_processes

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


def test_empty_environment_variable_is_not_set() -> None:
    assert settings(ACCEPTANCE_TP="").tp == 1


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
        ("backend", "vllm", "one of turbomind; pytorch"),
        ("server_name", "no such host!", "no address of this machine"),
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


def test_source_of_a_bad_value_is_named() -> None:
    with pytest.raises(SettingsError, match="where: ACCEPTANCE_TP"):
        settings(ACCEPTANCE_TP="zero")


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


@pytest.mark.parametrize("language", LANGUAGES)
def test_table_has_a_row_for_every_option(language: str) -> None:
    rows = [row.split(" | ") for row in table(declared(), language).splitlines()]
    options = [one.command_line for kind in declared() for one in options_of(kind)]
    assert [row[0] for row in rows[2:]] == [f"| `{option}`" for option in options]
    defaults = {row[0].strip("| `"): row[1].strip("`") for row in rows}
    assert (defaults["--quantize-timeout"], defaults["--cache-max-entry-count"]) == ("7200", "0.4")
    assert "" not in defaults.values()


OF_A_SUITE = {
    "conftest.py": """
from pathlib import Path
from fixtures import suites, texts

suites.FOLDER, suites.PACKAGE = Path(__file__).parent / "mine", "mine"
texts.PLACES = (*texts.PLACES, suites.FOLDER)
texts.catalogue.cache_clear()
pytest_plugins = ["fixtures.run.settings"]
""",
    "mine/counting/suite.py": """
from dataclasses import dataclass
from fixtures.run.options import integer, option

@dataclass(frozen=True)
class Options:
    rounds: int = option(integer(1, 9), 3, "ROUNDS")
""",
    "mine/counting/texts.toml": '[option.rounds]\nzh = "几轮"\nen = "how many rounds"\n',
    "mine/counting/test_rounds.py": """
import pytest
from fixtures.run.options import from_config
from mine.counting.suite import Options

@pytest.fixture
def rounds(request):
    return from_config(request.config, Options).rounds

def test_rounds(rounds):
    print("rounds:", rounds)
""",
}


def test_suite_declares_options_of_its_own(tmp_path: Path) -> None:
    for name, content in OF_A_SUITE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")

    def run(*arguments: str) -> pytest.RunResult:
        return pytest_processes.run(tmp_path, "-sq", "-p", "no:cacheprovider", "--rootdir", ".", *arguments)

    assert "rounds: 3" in run().stdout.str()
    assert "rounds: 5" in run("--rounds", "5").stdout.str()
    run("--help").stdout.fnmatch_lines(["*--rounds=ROUNDS*how many rounds (default: 3)"])
    refused = run("--rounds", "0")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["ERROR: --rounds must be from 1 to 9, not '0'", "  where: --rounds"])
