"""Every command line that the suite would run, and those of the homework that it does not, before lmdeploy's parser."""

import itertools
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest

from fixtures.homework import AWQ, MODEL_NAME, REHEARSAL_AWQ, AwqArguments
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.lmdeploy.commands import Program, awq_command, proxy_command, serve_command
from fixtures.run.measurement import Measure
from fixtures.run.settings import Settings
from tests.contracts.conftest import contract

TIMEOUT: Final = 600.0
"""Seconds: importing lmdeploy's command line imports torch in some versions. A machine with 20 busy processes for two
processors needed more than 120."""

SCRIPT: Final = """
import contextlib, io, json, os, sys
os.environ["CUDA_VISIBLE_DEVICES"] = ""
lines = json.load(sys.stdin)
from lmdeploy.cli.cli import CLI
from lmdeploy.cli.lite import SubCliLite
from lmdeploy.cli.serve import SubCliServe
CLI.add_parsers()
SubCliServe.add_parsers()
SubCliLite.add_parsers()
answers = []
for line in lines:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            values = vars(CLI.parser.parse_args(line))
        answers.append({"values": {key: value for key, value in values.items() if key != "run"}})
    except SystemExit:
        answers.append({"refusal": said.getvalue()})
print("ANSWERS " + json.dumps(answers, default=str))
"""
"""The steps of `lmdeploy.cli.entrypoint.run` before it runs anything, in names that every version has."""


@dataclass(frozen=True)
class Parsed:
    """A command line as it was understood: the arguments by their names, or the parser's refusal in its own words."""

    line: tuple[str, ...]
    values: Mapping[str, Any]
    refusal: str

    @property
    def accepted(self) -> bool:
        """True when the parser took it."""
        return not self.refusal

    def check(self, **expected: Any) -> None:
        """Check that the parser took it, and that the arguments have these values.

        :raises AssertionError: not; with the parser's words, or with what it understood.
        """
        shown = f"`lmdeploy {' '.join(self.line)}`"
        if self.refusal:
            raise AssertionError(f"{shown} is refused: {self.refusal}")
        wrong = {name: self.values.get(name) for name, value in expected.items() if self.values.get(name) != value}
        if wrong:
            said = ", ".join(f"{name} is {value!r}, not {expected[name]!r}" for name, value in wrong.items())
            raise AssertionError(f"{shown} is understood otherwise: {said}")


def parse(lines: Sequence[Sequence[str]]) -> list[Parsed]:
    """Ask the installed lmdeploy's parser about each command line, given without the word `lmdeploy`.

    :raises RuntimeError: the parser cannot be asked: another layout, a broken installation.
    """
    answers = _asked(("-c", SCRIPT), lines)
    # argparse prints its usage first and what is wrong last.
    return [
        Parsed(tuple(line), answer.get("values", {}), answer.get("refusal", "").strip().rpartition("\n")[2])
        for line, answer in zip(lines, answers, strict=True)
    ]


def _asked(program: Sequence[str], lines: Sequence[Sequence[str]]) -> Any:
    """Run Python with the lines at its standard input, and return what it answers.

    :raises RuntimeError: nothing.
    """
    finished = subprocess.run(
        [sys.executable, *program],
        input=json.dumps([list(line) for line in lines]),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    _, found, answers = finished.stdout.rpartition("ANSWERS ")
    if not found:
        raise RuntimeError(f"lmdeploy's command line cannot be asked what it accepts:\n{finished.stderr[-2000:]}")
    return json.loads(answers)


ENGINE_SETTINGS: Final = Path(__file__).parent / "programs" / "engine_settings.py"

MODEL = Path("internlm2_5-1_8b-chat")
QUANTIZED = Path("internlm2_5-1_8b-chat-w4a16-4bit")
NOTHING = Program(())

LITE, SERVE = ("lite", "auto_awq", "model"), ("serve", "api_server", "model")
SEARCH_SCALE = ("lite", "auto_awq", "model", "--search-scale", "False")
CHAT = (("chat", str(MODEL)), ("chat", str(MODEL), "--cache-max-entry-count", "0.4"))
API_CLIENT = ("serve", "api_client", "http://localhost:23333")
PROXY_URL = ("--proxy-url", "http://127.0.0.1:8000")
GRADIO = ("serve", "gradio", "http://localhost:23333", "--server-name", "0.0.0.0", "--server-port", "6006")

Line = tuple[str, ...]


@dataclass(frozen=True)
class Lines:
    """The command lines that follow from the table; `flags` with what the table says of each."""

    awq: tuple[Line, ...]
    served: tuple[Line, ...]
    flags: dict[Line, bool]


@pytest.fixture(scope="module")
def lines(settings: Settings, capabilities: Capabilities) -> Lines:
    """As the homework's settings make them, whatever this run was started with."""
    plain = replace(
        settings, session_len=None, tp=1, backend="turbomind", quant_policy=4, cache_max_entry_count=0.4, rehearse=False
    )

    def awq(arguments: AwqArguments) -> Line:
        return awq_command(NOTHING, MODEL, QUANTIZED, arguments, capabilities, {}).argv

    def served(chosen: Settings, model_format: str = "awq") -> Line:
        return serve_command(NOTHING, QUANTIZED, MODEL_NAME, model_format, 23333, chosen, capabilities).argv

    return Lines(
        awq=(awq(AWQ), (*awq(REHEARSAL_AWQ), "--device", "cpu")),
        served=(
            served(plain),
            *(served(replace(plain, quant_policy=bits), "hf") for bits in (0, 8, 4)),
            served(replace(plain, session_len=4096)),
            served(replace(plain, tp=2)),
            served(replace(plain, backend="pytorch")),
        ),
        flags={
            **(
                {proxy_command(NOTHING, "127.0.0.1", 8000, "").argv: True, (*SERVE, *PROXY_URL): True}
                if capabilities.proxy_forwards_key
                else {}
            ),
            (*LITE, "--trust-remote-code"): capabilities.trust_remote_code,
            (*SERVE, "--trust-remote-code"): capabilities.trust_remote_code,
            (*SERVE, "--api-keys", "key"): True,
            (*LITE, "--dtype", "float16"): capabilities.dtype_flag,
            (*SERVE, "--dtype", "float16"): capabilities.dtype_flag,
            (*SERVE, "--tool-call-parser", "internlm"): capabilities.tool_call_parser is not None,
            (*SERVE, "--enable-metrics"): capabilities.metrics == "flag",
            (*LITE, "--calib-dataset", "ptb"): capabilities.calib_dataset == "ptb",
        },
    )


@pytest.fixture(scope="module")
def says(lines: Lines) -> dict[Line, Parsed]:
    """The parser's reading of each line, asked once: importing lmdeploy is what takes the time."""
    asked = (*lines.awq, *lines.served, *lines.flags, SEARCH_SCALE, *CHAT, API_CLIENT, GRADIO)
    return {parsed.line: parsed for parsed in parse(asked)}


@contract("cli.auto_awq", zh="接受量化命令", en="auto_awq's command line is accepted")
def test_auto_awq_takes_the_homeworks_arguments(
    lines: Lines, says: dict[Line, Parsed], capabilities: Capabilities
) -> None:
    """As on a GPU and as in a rehearsal; the scale search is off."""
    homework, rehearsal = (says[line] for line in lines.awq)
    meant = {"calib_dataset": capabilities.calib_dataset, "w_bits": 4, "w_group_size": 128, "search_scale": False}
    homework.check(**meant, calib_samples=128, calib_seqlen=2048, batch_size=1)
    rehearsal.check(**meant, device="cpu")


@contract("cli.api_server", zh="接受每条服务命令", en="every api_server command line is accepted")
def test_api_server_takes_every_deployment_of_the_suite(lines: Lines, says: dict[Line, Parsed]) -> None:
    """The homework's, those of the unquantized checkpoint, and each setting that reaches the command line."""
    homework, *others = (says[line] for line in lines.served)
    homework.check(
        model_format="awq", quant_policy=4, cache_max_entry_count=0.4, model_name=MODEL_NAME, server_port=23333, tp=1
    )
    for parsed in others:
        parsed.check()


@contract("cli.flags", zh="参数的有无与能力表一致", en="flags exist where the table says")
def test_flags_exist_where_the_table_says(lines: Lines, says: dict[Line, Parsed], measure: Measure) -> None:
    """Those that came with a version: a flag that the table denies must be refused."""
    found = [says[line] for line in lines.flags]
    measure("flags", ", ".join(" ".join(parsed.line[3:]) for parsed in found if parsed.accepted))
    wrong = [parsed for parsed in found if parsed.accepted != lines.flags[parsed.line]]
    assert not wrong, "; ".join(
        f"`lmdeploy {' '.join(parsed.line)}` is {'accepted' if parsed.accepted else 'refused'}, "
        f"the table says otherwise: {parsed.refusal}"
        for parsed in wrong
    )


@contract(
    "cli.homework_words",
    zh="--search-scale False 的含义与能力表一致",
    en="--search-scale False means what the table says",
)
def test_search_scale_false_is_what_the_table_says(
    says: dict[Line, Parsed], capabilities: Capabilities, measure: Measure
) -> None:
    """`--search-scale False` as the homework types it."""
    found = says[SEARCH_SCALE]
    meaning = f"means_{found.values.get('search_scale')}".lower() if found.accepted else "error"
    measure("search_scale_false", meaning)
    assert meaning == capabilities.search_scale


@contract("cli.chat", zh="接受 lmdeploy chat", en="lmdeploy chat is accepted")
def test_chat_takes_the_homeworks_arguments(says: dict[Line, Parsed]) -> None:
    """Sections 2.3 and 3.2.1."""
    for line in CHAT:
        says[line].check()


@contract("cli.api_client", zh="接受 lmdeploy serve api_client", en="lmdeploy serve api_client is accepted")
def test_api_client_takes_the_homeworks_arguments(says: dict[Line, Parsed]) -> None:
    """Section 3.1.2."""
    says[API_CLIENT].check()


@contract("cli.gradio", zh="接受 lmdeploy serve gradio", en="lmdeploy serve gradio is accepted")
def test_gradio_takes_the_homeworks_arguments(says: dict[Line, Parsed]) -> None:
    """Section 3.1.3."""
    says[GRADIO].check(server_port=6006)


def test_command_that_is_not_offered_is_refused(says: dict[Line, Parsed], capabilities: Capabilities) -> None:
    """A version that has the command after all would be skipped for nothing."""
    there = {" ".join(line[:2]): says[line].accepted for line in (API_CLIENT, GRADIO)}
    assert there == {name: name in capabilities.subcommands for name in there}


@dataclass(frozen=True)
class Asked:
    """A configuration that somebody may ask for, and its command line as the suite would write it."""

    backend: str
    model_format: str
    quant_policy: int
    line: Line

    def with_format(self) -> Line:
        """The same with the flag, where the suite leaves it out."""
        return self.line if "--model-format" in self.line else (*self.line, "--model-format", self.model_format)


def test_engines_take_what_the_table_says(settings: Settings, capabilities: Capabilities) -> None:
    """Both engines, weights of both formats, every KV cache: what the suite passes arrives, and what the table says an
    engine refuses or drops, it does. On this machine there is no GPU, so it ends where weights would be loaded."""
    table = capabilities.pytorch
    asked = []
    for backend, model_format, bits in itertools.product(("turbomind", "pytorch"), ("awq", "hf"), (0, 8, 4)):
        chosen = replace(settings, backend=backend, quant_policy=bits, rehearse=False, session_len=None, tp=1)
        line = serve_command(NOTHING, QUANTIZED, MODEL_NAME, model_format, 23333, chosen, capabilities).argv
        asked.append(Asked(backend, model_format, bits, line))
    lines = [line for one in asked for line in (one.line, one.with_format())]
    said = _asked((str(ENGINE_SETTINGS),), lines)
    assert table.awq is not said["imports_autoawq"]
    for one, passed, flagged in zip(asked, said["answers"][::2], said["answers"][1::2], strict=True):
        assert passed.get("engine") == one.backend, (one, passed)
        heeded = one.quant_policy if one.backend == "turbomind" or one.quant_policy in table.kv_bits else 0
        assert passed["kv_bits"] == heeded, (one, passed)
        if one.backend == "turbomind":
            assert passed["model_format"] == one.model_format
        else:
            assert ("refusal" in flagged) is (one.model_format not in table.model_formats), (one, flagged)
            assert passed["reserved"] == table.reserve(vocab_size=1)


def test_distributor_hands_keys_on_or_not(capabilities: Capabilities) -> None:
    """If so, it sends a client's headers along with the request; before, a request of its own without any."""
    from lmdeploy.serve.proxy.proxy import NodeManager

    assert hasattr(NodeManager, "_prepare_headers") is capabilities.proxy_forwards_key
