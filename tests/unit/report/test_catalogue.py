"""Every text is in the catalogue, in both languages, and nothing on the page comes from elsewhere."""

from __future__ import annotations

import ast
import json
import re
import string
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pynvml
import pytest
from fixtures.run.subjects import SUBJECTS, Outcome

import fixtures.report
from fixtures import texts as catalogue
from fixtures.errors import CheckpointError
from fixtures.gpu.device import INIT_FAILURES, NO_GPU_REMEDY
from fixtures.judge.verdict import Model, State
from fixtures.model import chat_template
from fixtures.model.calibration import OwnTexts, choose
from fixtures.model.checkpoint import whole
from fixtures.report.page import standalone
from fixtures.report.summary import summarize
from fixtures.run import claims
from fixtures.texts import LANGUAGES, TEXTS, Texts
from tests.acceptance.performance.workloads import GPU
from tests.unit.report import synthetic

SOURCES = sorted(Path(fixtures.report.__file__).parent.glob("*.py"))
CATALOGUES = ("catalogue.py", "catalogue_recorded.py", "catalogue_versions.py")
CHINESE = re.compile("[\u4e00-\u9fff]")


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_both_languages_have_every_text() -> None:
    """One test: with one for each text these were a fifth of all tests, and of the time to collect them."""
    assert [id_ for id_, texts in TEXTS.items() if len(texts) != len(LANGUAGES)] == []
    assert [id_ for id_, texts in TEXTS.items() if not all(text.strip() for text in texts)] == []
    unlike = [id_ for id_, texts in TEXTS.items() if places(texts[0]) != places(texts[1])]
    assert unlike == [], "the same values go into both"
    assert [id_ for id_, texts in TEXTS.items() if CHINESE.search(texts[1])] == [], "the English text has Chinese in it"


def test_every_claim_state_outcome_and_model_has_a_text() -> None:
    wanted = {f"claim.{id_}" for id_ in re.findall(r'Claim\("([\w.]+)"', Path(claims.__file__).read_text())}
    wanted |= {f"state.{state}" for state in State.__args__}  # type: ignore[attr-defined]
    wanted |= {f"outcome.{outcome}" for outcome in Outcome.__args__}  # type: ignore[attr-defined]
    wanted |= {f"explain.{outcome}" for outcome in Outcome.__args__}  # type: ignore[attr-defined]
    wanted |= {f"model.{model}" for model in Model.__args__}  # type: ignore[attr-defined]
    wanted |= {f"{family}.{subject}" for family in ("heading", "subtitle") for subject in SUBJECTS}
    assert wanted <= set(TEXTS)
    assert {id_ for id_ in TEXTS if id_.startswith("claim.")} <= wanted, "a title of no claim"


def test_every_figure_that_a_claim_measures_has_a_name_in_both_languages() -> None:
    acceptance = Path(fixtures.report.__file__).parents[2] / "tests" / "acceptance"
    sources = "".join(file.read_text(encoding="utf-8") for file in acceptance.glob("test_*.py"))
    measured = {f"figure.{name}" for name in re.findall(r'\bmeasure\(f?"([^"{]+)', sources)}
    named = {id_ for id_ in TEXTS if id_.startswith("figure.")}
    assert measured <= named
    assert named <= measured, "the name of a figure that nobody measures"


def test_every_text_is_used() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in SOURCES if path.name not in CATALOGUES)
    sources += (Path(fixtures.report.__file__).parents[1] / "evidence" / "__main__.py").read_text(encoding="utf-8")
    families = (
        "claim.",
        "figure.",
        "state.",
        "outcome.",
        "explain.",
        "model.",
        "reason.",
        "reasons.",
        "role.",
        "phase.",
        "stage.",
        "progress.",
        "error.",
        "html.",
        "picture.",
        "stamp.",
        "adapted.",
        "subtitle.",
        "heading.",
        "lacks.",
        "fact.",
        "matrix.cell.",
        "matrix.model.",
    )
    unused = [id_ for id_ in TEXTS if not id_.startswith(families) and not re.search(f"""["']{id_}["']""", sources)]
    assert unused == []


RECORDED_TEXTS = [
    choose("local", "wikitext2", OwnTexts("5e" * 32, lambda: ())).description,
    "the suite's own dialogues (SHA-256 1755ad60350c) in place of ptb, which the hub did not deliver",
    "ptb from the hub",
    "built into lmdeploy, chosen by the folder's name internlm2_5-1_8b-chat-w4a16-4bit",
    "184 characters",
    "awq, 4 bits, groups of 128",
    "none",
    "as reported by `studio-smi`",
    "NVIDIA A100-SXM4-80GB, as reported by `studio-smi`",
    "Skipped: not measured: no GPU in a rehearsal",
    "Skipped: not measured: ssh, sshd not found; apt install openssh-server",
    "prompt after 7.9 s",
    "/v1/chat/completions tried; script and style: local copy",
    "/v1/models tried; script and style: CDN",
    *(load.name for load in GPU.loads),
]


@pytest.mark.parametrize("recorded", RECORDED_TEXTS)
def test_what_the_suite_recorded_is_chinese_in_the_chinese_report(recorded: str) -> None:
    assert CHINESE.search(Texts("zh").recorded(recorded))
    assert Texts("en").recorded(recorded) == recorded


def _no_folder(place: Path) -> Path:
    return place / "nothing"


def _link_to_nothing(place: Path) -> Path:
    (place / "link").symlink_to(place / "nothing")
    return place / "link"


def _no_config(place: Path) -> Path:
    return place


def _pointer(place: Path) -> Path:
    (place / "config.json").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    return place


def _no_tokenizer(place: Path) -> Path:
    (place / "config.json").write_text('{"architectures": ["InternLM2ForCausalLM"]}')
    return place


def _shards_missing(place: Path) -> Path:
    (place / "config.json").write_text('{"architectures": ["InternLM2ForCausalLM"]}')
    (place / "tokenizer.json").write_text("{}")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (place / "model.safetensors.index.json").write_text(json.dumps(index))
    return place


@pytest.mark.parametrize("wrong", [_no_folder, _link_to_nothing, _no_config, _pointer, _no_tokenizer, _shards_missing])
def test_the_errors_of_a_first_run_are_told_in_chinese(tmp_path: Path, wrong: Callable[[Path], Path]) -> None:
    with pytest.raises(CheckpointError) as raised:
        whole(wrong(tmp_path))
    what, where, remedy = Texts("zh").error(str(raised.value)).split("\n")
    assert CHINESE.search(what)
    assert where.startswith("  位置：")
    assert CHINESE.search(remedy.removeprefix("  处理："))
    assert Texts("en").error(str(raised.value)) == str(raised.value)


def test_a_missing_gpu_is_told_in_chinese() -> None:
    missing = INIT_FAILURES[pynvml.NVML_ERROR_LIBRARY_NOT_FOUND]
    for text in (*missing, NO_GPU_REMEDY, "there is no GPU: the driver lists none"):
        assert CHINESE.search(Texts("zh").recorded(text))


def test_what_others_wrote_is_shown_as_it_is() -> None:
    assert Texts("zh").recorded("none of it, 12 characters long") == "none of it, 12 characters long"


def test_every_chat_template_that_is_recorded_has_its_chinese() -> None:
    source = ast.parse(Path(chat_template.__file__).read_text(encoding="utf-8"))
    (install,) = (node for node in ast.walk(source) if isinstance(node, ast.FunctionDef) and node.name == "install")
    said = [
        node.value.value
        for node in ast.walk(install)
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Constant)
    ]
    assert len(said) == 2
    assert all(CHINESE.search(Texts("zh").recorded(text)) for text in said)


def test_no_chinese_outside_the_catalogue() -> None:
    for path in SOURCES:
        if path.name in CATALOGUES:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not CHINESE.search(node.value), f"{path.name}: {node.value}"


class VisibleText(HTMLParser):
    """The texts of a page that a reader sees."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._hidden = False

    def handle_starttag(self, element: str, attributes: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self._hidden = element == "style"

    def handle_endtag(self, _element: str) -> None:
        self._hidden = False

    def handle_data(self, text: str) -> None:
        if not self._hidden and re.search("[A-Za-z\u4e00-\u9fff]", text):
            self.found.append(text.strip())


# What a page shows that is no language: units, product and protocol names, and what nvidia-smi prints.
NO_LANGUAGE = re.compile(
    r"^(?:GPU|VRAM|Python|Memory-Usage|POST /v1/\S+ · HTTP 200|t = [\d.]+ s|Driver [\d.]+  CUDA [\d.]+|[\d.]+ s|0 GiB)$"
)


def test_every_text_on_the_page_is_from_the_catalogue_or_from_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    marked = {id_: tuple(f"⟦{text}⟧" for text in texts) for id_, texts in TEXTS.items()}
    monkeypatch.setattr(catalogue, "TEXTS", marked)
    log = synthetic.entries()
    parser = VisibleText()
    parser.feed(standalone(summarize(log), Texts("en")))
    from_run = repr([entry.event for entry in log]).replace("\\n", " ")
    words = set(re.findall(r"[A-Za-z\u4e00-\u9fff]+", from_run)) | {"GiB", "MiB", "s", "min", "ms", "false", "CUDA"}
    strangers = [
        text
        for text in parser.found
        if "⟦" not in text
        and not text.startswith("{")  # raw JSON
        and not NO_LANGUAGE.match(text)
        and not set(re.findall(r"[A-Za-z\u4e00-\u9fff]+", text)) <= words
    ]
    assert [text for text in strangers if not text.startswith("2026-11-23T")] == []
    assert len(parser.found) > 100
