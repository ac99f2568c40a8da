"""The package bfcl-eval: its questions, its tools as a server takes them, and its judgement. Unmodified.

Three of its modules are kept away, and their places taken for as long as this process runs: they import what is needed
to ask fifty vendors' models or to read Java and JavaScript (150 packages), none of which is used here. Of the first
the checker takes one thing: whether the model was shown `_` in place of the dots in a function's name, as OpenAI's API
asks; here it always is. The package also makes folders where it is imported, unless it is told of another place.
"""

import os
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Final

from fixtures.errors import SettingsError
from fixtures.judge.profile import SEED

REQUIREMENTS: Final = Path(__file__).parents[3] / "requirements" / "bfcl.txt"
PLACE: Final = "BFCL_PROJECT_ROOT"
"""The package's variable of the place where it may make its folders."""

SERVED: Final = "served"
"""Name of the model that is judged, among the package's models."""
KEPT_AWAY: Final[dict[str, dict[str, Any]]] = {
    "constants.model_config": {"MODEL_CONFIG_MAPPING": {SERVED: SimpleNamespace(underscore_to_dot=True)}},
    "model_handler.parser.java_parser": {"parse_java_function_call": None},
    "model_handler.parser.js_parser": {"parse_javascript_function_call": None},
}

Calls = list[dict[str, Any]]
"""Calls as the package has them: `[{name: arguments}]`."""


@dataclass(frozen=True)
class Case:
    """A question. `number` counts those of its category; `functions` and `answer` are the package's own, `tools` what
    the server is told of the functions."""

    id: str
    category: str
    number: int
    messages: list[dict[str, Any]]
    functions: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    answer: list[dict[str, Any]]

    @property
    def names(self) -> list[str]:
        """Names of the tools that are offered."""
        return [tool["function"]["name"] for tool in self.tools]


def expects_calls(category: str) -> bool:
    """Whether the category's questions have calls as their answers, rather than whether to call at all."""
    return "relevance" not in category


def load(place: Path) -> str:
    """Import the package, and return its version.

    :param place: where it may make its folders.
    :raises SettingsError: it is not installed, lacks something, or is of another version.
    """
    found = re.search(r"^bfcl-eval==(\S+)", REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE)
    pinned, before = found[1] if found else "", dict(os.environ)
    for name, content in KEPT_AWAY.items():
        module = ModuleType(f"bfcl_eval.{name}")
        vars(module).update(content)
        sys.modules.setdefault(module.__name__, module)
    try:
        if (version := metadata.version("bfcl-eval")) != pinned:
            raise SettingsError("bfcl_version", where="-m bfcl", version=version, pinned=pinned)
        os.environ[PLACE] = str(place)
        import bfcl_eval.eval_checker.ast_eval.ast_checker
        import bfcl_eval.model_handler.utils  # noqa: F401 - both are taken from where they are used
    except ImportError as error:  # also metadata's PackageNotFoundError
        raise SettingsError("bfcl_missing", where="-m bfcl", reason=f"{type(error).__name__}: {error}") from None
    finally:
        os.environ.pop(PLACE, None)
        os.environ.update(before)
    return version


def read(categories: Sequence[str], sample: int | None) -> list[Case]:
    """Read the questions of some categories: all, or so many of each, the same ones every time. Loaded before."""
    from bfcl_eval.constants.enums import ModelStyle
    from bfcl_eval.constants.type_mappings import GORILLA_TO_OPENAPI
    from bfcl_eval.model_handler.utils import convert_to_tool
    from bfcl_eval.utils import load_dataset_entry, load_ground_truth_entry

    cases = []
    for category in categories:
        answers = load_ground_truth_entry(category) if expects_calls(category) else []
        truth = {one["id"]: one["ground_truth"] for one in answers}
        entries = list(enumerate(load_dataset_entry(category)))
        if sample is not None and sample < len(entries):
            entries = sorted(random.Random(f"{SEED}.{category}").sample(entries, sample), key=lambda one: one[0])
        for number, entry in entries:
            functions, answer = entry["function"], truth.get(entry["id"], [])
            tools = convert_to_tool(functions, GORILLA_TO_OPENAPI, ModelStyle.OPENAI_COMPLETIONS)
            cases.append(Case(entry["id"], category, number, entry["question"][0], functions, tools, answer))
    return cases


def fault(case: Case, calls: Calls) -> str:
    """Judge a reply's calls as the package's own runner does; its name of the error, empty where there is none."""
    from bfcl_eval.constants.enums import Language
    from bfcl_eval.eval_checker.ast_eval.ast_checker import ast_checker
    from bfcl_eval.utils import is_empty_output, is_function_calling_format_output

    if "irrelevance" in case.category:
        return "" if is_empty_output(calls) else "irrelevance_error:decoder_success"
    if not expects_calls(case.category):
        return "relevance_error:decoder_failed" if is_empty_output(calls) else ""
    if not calls:
        return "ast_decoder:decoder_failed"
    if not is_function_calling_format_output(calls):
        return "ast_decoder:decoder_wrong_output_format"
    try:
        found = ast_checker(case.functions, calls, case.answer, Language.PYTHON, case.category, SERVED)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        # A value nested otherwise than the answer's, which the checker does not expect; its runner would end here.
        return f"ast_checker:{type(error).__name__}"
    return "" if found["valid"] else str(found["error_type"])


def converted(cases: Sequence[Case]) -> dict[str, int]:
    """Count what the package changed in the schemas for an OpenAI server, by kind."""
    counts: Counter[str] = Counter()
    for case in cases:
        for function, tool in zip(case.functions, case.tools, strict=True):
            counts["name: . → _"] += function["name"] != tool["function"]["name"]
            counts.update(_changed(function["parameters"], tool["function"]["parameters"]))
    return {kind: count for kind, count in sorted(counts.items()) if count}


def _changed(before: Any, after: Any) -> Iterator[str]:
    if isinstance(before, dict):
        one, other = before.get("type"), after.get("type")
        if isinstance(other, str) and one != other:
            yield f"{one} → {other}"
        for name, value in before.items():
            yield from _changed(value, after[name])
    elif isinstance(before, list):
        for one, other in zip(before, after, strict=True):
            yield from _changed(one, other)


def truth(case: Case) -> Calls:
    """Make the calls of the package's own answer: of each value the first that it allows, under the tools' names."""
    return [{name.replace(".", "_"): _allowed(arguments) for name, arguments in call.items()} for call in case.answer]


def _allowed(arguments: dict[str, list[Any]], deeper: bool = True) -> dict[str, Any]:
    """Choose values; those of an object, or of objects in a list, are lists of what is allowed as well, once."""

    def chosen(value: Any) -> Any:
        if isinstance(value, dict) and deeper:
            return _allowed(value, deeper=False)
        return [chosen(one) if isinstance(one, dict) else one for one in value] if isinstance(value, list) else value

    allowed = {name: [value for value in values if value != ""] for name, values in arguments.items()}
    return {name: chosen(values[0]) for name, values in allowed.items() if values}


def planted(case: Case) -> Iterator[tuple[str, Calls]]:
    """Make each kind of error in the package's own answer, where it has the place for it."""
    first, *others = truth(case)
    ((name, arguments),) = first.items()
    (allowed,) = case.answer[0].values()
    yield "extra call", [first, *others, first]
    other = next((other for other in case.names if other != name), f"{name}_2")
    yield "swapped name", [{other: arguments}, *others]
    for what in [what for what, value in arguments.items() if type(value) is int][:1]:
        wrong = max(value for value in allowed[what] if type(value) is int) + 1
        yield "wrong integer", [{name: {**arguments, what: wrong}}, *others]
    for what in [what for what in arguments if "" not in allowed[what]][:1]:
        yield "missing argument", [{name: {key: value for key, value in arguments.items() if key != what}}, *others]


def controls(cases: Sequence[Case]) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Judge the package's own answers, and errors planted in them: `[accepted, of]` by category, `[refused, of]` by
    kind."""
    accepted: dict[str, list[int]] = {}
    refused: dict[str, list[int]] = {}
    for case in (case for case in cases if expects_calls(case.category)):
        held = [(accepted, case.category, not fault(case, truth(case)))]
        held += [(refused, kind, bool(fault(case, calls))) for kind, calls in planted(case)]
        for counts, name, holds in held:
            done, of = counts.get(name, (0, 0))
            counts[name] = [done + holds, of + 1]
    return accepted, refused
