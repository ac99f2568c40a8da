"""`python -m tools.bounded_white_space serve api_server ...`: lmdeploy, whose JSON grammars end.

lmdeploy 0.18.0 lets white space without end stand between two tokens of JSON: of a call, and with its PyTorch engine of
any reply. Here both are compiled to one layout, without a change to the installed package: docs/structured.md tells
why in this way. `--rehearse` as the first word takes the CPU engine.
"""

import json
import runpy
import sys
from typing import Any


def bound() -> None:
    """Compile JSON to one layout. Before lmdeploy's engines are imported, which take the function by name."""
    from lmdeploy import _guided_decoding as guided

    compiled = guided.compile_response_format

    def compile_bounded(compiler: Any, response_format: dict[str, Any]) -> Any:
        kind, source = guided._grammar_source(response_format)
        if kind == "json_schema":
            return compiler.compile_json_schema(source, any_whitespace=False)
        try:
            return compiled(compiler, in_one_layout(response_format))
        except RuntimeError:  # TurboMind's own xgrammar is older, and cannot read how this one writes a `pattern`
            return compiled(compiler, response_format)

    guided.compile_response_format = compile_bounded


def in_one_layout(tag: Any) -> Any:
    """Return a structural tag with a grammar for each JSON schema: TurboMind's xgrammar reads no limit on a schema."""
    import xgrammar

    if isinstance(tag, list):
        return [in_one_layout(one) for one in tag]
    if not isinstance(tag, dict):
        return tag
    if tag.get("type") == "json_schema" and tag.get("style") == "json":
        grammar = xgrammar.Grammar.from_json_schema(json.dumps(tag["json_schema"]), any_whitespace=False)
        return {"type": "grammar", "grammar": str(grammar)}
    return {key: in_one_layout(value) for key, value in tag.items()}


if __name__ == "__main__":
    rehearse = sys.argv[1:2] == ["--rehearse"]
    bound()
    sys.argv = ["lmdeploy", *sys.argv[1 + rehearse :]]
    if rehearse:
        runpy.run_module("fixtures.rehearsal", run_name="__main__")
    else:
        from lmdeploy.cli import run

        run()
