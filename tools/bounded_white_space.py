"""`python -m tools.bounded_white_space serve api_server ...`: lmdeploy, whose JSON grammars end.

lmdeploy 0.18.0 compiles schemas with xgrammar's default: white space without end between two tokens of JSON. Here
`response_format` is compiled to one layout, and `tool_choice="required"` with one white-space character at most: what
docs/structured.md proposes, without a change to the installed package. `--rehearse` as the first word takes the CPU
engine.
"""

import runpy
import sys
from typing import Any


def bound() -> None:
    """Bound white space in both ways to ask for JSON. Before lmdeploy's engines are imported, which take it by name."""
    import xgrammar.structural_tag as tags
    from lmdeploy import _guided_decoding as guided

    compiled = guided.compile_response_format

    def compile_bounded(compiler: Any, response_format: dict[str, Any]) -> Any:
        kind, source = guided._grammar_source(response_format)
        if kind == "json_schema":
            return compiler.compile_json_schema(source, any_whitespace=False)
        return compiled(compiler, response_format)

    guided.compile_response_format = compile_bounded
    made = tags.JSONSchemaFormat.__init__

    def make_bounded(self: Any, **fields: Any) -> None:
        made(self, **{"max_whitespace_cnt": 1, **fields})

    tags.JSONSchemaFormat.__init__ = make_bounded  # type: ignore[method-assign]


if __name__ == "__main__":
    rehearse = sys.argv[1:2] == ["--rehearse"]
    bound()
    sys.argv = ["lmdeploy", *sys.argv[1 + rehearse :]]
    if rehearse:
        runpy.run_module("fixtures.rehearsal", run_name="__main__")
    else:
        from lmdeploy.cli import run

        run()
