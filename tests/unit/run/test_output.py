"""Where a run is written and in which language: from the same three places as every other option."""

import pytest

from tests.unit import pytest_processes

pytest_plugins = ["pytester"]

CONFTEST = """
    pytest_plugins = ["fixtures.run.options"]

    def pytest_configure(config):
        from fixtures.run.output import output_of

        found = output_of(config)
        print("\\nlang", found.report_lang, "evidence", found.evidence_dir, "contract", found.contract_dir)
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """Starts pytest with options, environment and lines of pytest.ini, and returns what it said."""
    pytester.makeconftest(CONFTEST)

    def start(*arguments: str, ini: str = "", **environment: str) -> pytest.RunResult:
        pytester.makeini(f"[pytest]\naddopts = -p no:cacheprovider --strict-config\n{ini}")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return pytest_processes.run(pytester.path, "-s", *arguments)

    return start


def test_the_command_line_wins_over_ini_and_ini_over_the_environment(run, pytester: pytest.Pytester) -> None:
    root = pytester.path
    run().stdout.fnmatch_lines([f"lang zh evidence {root}/evidence contract None"])
    given = {"ACCEPTANCE_REPORT_LANG": "en", "ACCEPTANCE_EVIDENCE_DIR": "/elsewhere", "ACCEPTANCE_CONTRACT_DIR": "c"}
    run(**given).stdout.fnmatch_lines([f"lang en evidence /elsewhere contract {root}/c"])
    run(ini="report_lang = zh\nevidence_dir = there", **given).stdout.fnmatch_lines(
        [f"lang zh evidence {root}/there *"]
    )
    run("--report-lang", "en", ini="report_lang = zh", **given).stdout.fnmatch_lines(["lang en *"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--report-lang", "fr"], "--report-lang: must be one of zh, en, not 'fr'"),
        (["--report-pictures", "on"], "--report-pictures: must be one of auto, off, not 'on'"),
        (["--evidence-dir", ""], "--evidence-dir: must be a folder, not ''"),
        (["--evidence-dir", "conftest.py"], "--evidence-dir: conftest.py is a file, and a folder is asked for"),
        (["--contract-dir", "conftest.py/below"], "--contract-dir: conftest.py is a file, and a folder is asked for"),
    ],
)
def test_nonsense_is_a_usage_error_of_one_message(run, arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {words}", "  where: *", "  what to do: *"])
