"""The package bfcl-eval: its questions, its tools as a server takes them, and its judgement. Unmodified.

Three of its modules are kept away, and their places taken for as long as this process runs: they import what is needed
to ask fifty vendors' models or to read Java and JavaScript (150 packages), none of which is used here. Of the first
the checker takes one thing: whether the model was shown `_` in place of the dots in a function's name, as OpenAI's API
asks; here it always is. The package also makes folders where it is imported, unless it is told of another place.
"""

from __future__ import annotations

import json
import os
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Final

from fixtures.errors import SettingsError
from fixtures.judge.profile import SEED

REQUIREMENTS: Final = Path(__file__).parents[3] / "requirements" / "bfcl.txt"
INSTALL: Final = "pip install --no-deps -r requirements/bfcl.txt"

SERVED: Final = "served"
"""Name of the model that is judged, among the package's models."""

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


def pinned() -> str:
    """Return the version whose questions and judgement the figures are of."""
    found = re.search(r"^bfcl-eval==(\S+)", REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return found[1]


@dataclass(frozen=True)
class Package:
    """The package's functions that are used here."""

    version: str
    entries: Callable[[str], list[dict[str, Any]]]
    answers: Callable[[str], list[dict[str, Any]]]
    to_tools: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
    is_empty: Callable[[Any], bool]
    is_calls: Callable[[Any], bool]
    check: Callable[..., dict[str, Any]]

    @staticmethod
    def load(place: Path) -> Package:
        """Import it.

        :param place: where it may make its folders.
        :raises SettingsError: it is not installed, lacks something, or is of another version.
        """
        before = os.environ.get("BFCL_PROJECT_ROOT")
        try:
            if (version := metadata.version("bfcl-eval")) != pinned():
                raise SettingsError("bfcl_version", where=INSTALL, version=version, pinned=pinned())
            _keep_away()
            os.environ["BFCL_PROJECT_ROOT"] = str(place)
            from bfcl_eval import utils
            from bfcl_eval.constants.enums import Language, ModelStyle
            from bfcl_eval.constants.type_mappings import GORILLA_TO_OPENAPI
            from bfcl_eval.eval_checker.ast_eval.ast_checker import ast_checker
            from bfcl_eval.model_handler.utils import convert_to_tool
        except ImportError as error:  # also metadata's PackageNotFoundError
            raise SettingsError("bfcl_missing", where=INSTALL, reason=f"{type(error).__name__}: {error}") from None
        finally:
            os.environ.pop("BFCL_PROJECT_ROOT", None)
            if before is not None:
                os.environ["BFCL_PROJECT_ROOT"] = before
        return Package(
            version,
            utils.load_dataset_entry,
            utils.load_ground_truth_entry,
            lambda functions: convert_to_tool(functions, GORILLA_TO_OPENAPI, ModelStyle.OPENAI_COMPLETIONS),
            utils.is_empty_output,
            utils.is_function_calling_format_output,
            lambda case, calls: ast_checker(
                case.functions, calls, case.answer, Language.PYTHON, case.category, SERVED
            ),
        )

    def cases(self, categories: Sequence[str], sample: int | None) -> list[Case]:
        """Read the questions of some categories: all, or so many of each, the same ones every time."""
        found = []
        for category in categories:
            truth = {} if _is_about_relevance(category) else {one["id"]: one["ground_truth"] for one in self.answers(category)}
            entries = list(enumerate(self.entries(category)))
            if sample is not None and sample < len(entries):
                entries = sorted(random.Random(f"{SEED}.{category}").sample(entries, sample), key=lambda one: one[0])
            for number, entry in entries:
                functions = entry["function"]
                tools = self.to_tools(functions)
                found.append(
                    Case(entry["id"], category, number, entry["question"][0], functions, tools, truth.get(entry["id"], []))
                )
        return found

    def fault(self, case: Case, calls: Calls) -> str:
        """Judge a reply's calls as the package's own runner does; its name of the error, empty where there is none."""
        if _is_about_relevance(case.category):
            called = not self.is_empty(calls)
            if "irrelevance" in case.category:
                return "irrelevance_error:decoder_success" if called else ""
            return "" if called else "relevance_error:decoder_failed"
        if not calls:
            return "ast_decoder:decoder_failed"
        if not self.is_calls(calls):
            return "ast_decoder:decoder_wrong_output_format"
        try:
            found = self.check(case, calls)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            # A value nested otherwise than the answer's, which the checker does not expect; its runner would end here.
            return f"ast_checker:{type(error).__name__}"
        return "" if found["valid"] else str(found["error_type"])


def _keep_away() -> None:
    for name, content in (
        ("constants.model_config", {"MODEL_CONFIG_MAPPING": {SERVED: SimpleNamespace(underscore_to_dot=True)}}),
        ("model_handler.parser.java_parser", {"parse_java_function_call": None}),
        ("model_handler.parser.js_parser", {"parse_javascript_function_call": None}),
    ):
        module = ModuleType(f"bfcl_eval.{name}")
        vars(module).update(content)
        sys.modules.setdefault(module.__name__, module)


def _is_about_relevance(category: str) -> bool:
    return "relevance" in category


def expects_calls(category: str) -> bool:
    """Whether the category's questions have calls as their answers, rather than whether to call at all."""
    return not _is_about_relevance(category)


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
    return [
        {re.sub(r"\.", "_", name): _allowed(arguments) for name, arguments in call.items()} for call in deepcopy(case.answer)
    ]


def _allowed(arguments: dict[str, list[Any]], deeper: bool = True) -> dict[str, Any]:
    """Choose values; those of an object, or of objects in a list, are lists of what is allowed as well: one level down."""

    def chosen(value: Any) -> Any:
        if isinstance(value, dict) and deeper:
            return _allowed(value, deeper=False)
        if isinstance(value, list) and deeper:
            return [chosen(one) if isinstance(one, dict) else one for one in value]
        return value

    allowed = {name: [value for value in values if value != ""] for name, values in arguments.items()}
    return {name: chosen(values[0]) for name, values in allowed.items() if values}


def planted(case: Case) -> Iterator[tuple[str, Calls]]:
    """Make each kind of error in the package's own answer, where it has the place for it."""
    calls = truth(case)
    yield "extra call", [*calls, calls[0]]
    (name, arguments), *_ = calls[0].items()
    (allowed,) = case.answer[0].values()
    others = [other for other in case.names if other != name]
    yield "swapped name", [{others[0] if others else f"{name}_2": arguments}, *calls[1:]]
    for what, value in arguments.items():
        whole = [one for one in allowed[what] if type(one) is int]
        if type(value) is int:
            yield "wrong integer", [{name: {**arguments, what: max(whole) + 1}}, *calls[1:]]
            break
    needed = [what for what in arguments if "" not in allowed[what]]
    if needed:
        left = {what: value for what, value in arguments.items() if what != needed[0]}
        yield "missing argument", [{name: left}, *calls[1:]]


def controls(package: Package, cases: Sequence[Case]) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Judge the package's own answers, and errors planted in them: `[accepted, of]` by category, `[refused, of]` by
    kind."""
    accepted: dict[str, list[int]] = {}
    refused: dict[str, list[int]] = {}
    for case in cases:
        if not expects_calls(case.category):
            continue
        _count(accepted, case.category, not package.fault(case, truth(case)))
        for kind, calls in planted(case):
            _count(refused, kind, bool(package.fault(case, calls)))
    return accepted, refused


def _count(counts: dict[str, list[int]], name: str, held: bool) -> None:
    found = counts.setdefault(name, [0, 0])
    found[0] += held
    found[1] += 1
