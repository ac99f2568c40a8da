"""What a report needs is there before the last test has ended."""

import json
import subprocess
import sys
from typing import Any, Final

from tests.unit.waiting import ROOT

REPORT: Final = """
import json, re, sys
from pathlib import Path
from jinja2 import Environment
from fixtures.report import ahead
if sys.argv[2] == "ahead":
    ahead._prepare()
had, compile = set(sys.modules), Environment.compile
compiled = []
Environment.compile = lambda self, source, name, *rest: [compiled.append(name), compile(self, source, name, *rest)][1]

from fixtures.evidence import read
from fixtures.report import console
from fixtures.report.page import standalone
from fixtures.report.published import derived, posted
from fixtures.report.summary import summarize
from fixtures.texts import Texts

folder = Path(sys.argv[1])
run, texts = summarize(list(read(folder))), Texts("zh")
standalone(run, texts), derived(folder, run), posted(folder, run, texts, []), console.lines(run, texts, [], 80, 0.1)
of_reports = re.compile(r"fixtures[.](report|evidence)|.*[.]section$").match  # others come with the tests
modules = [*filter(of_reports, set(sys.modules) - had)]
print(json.dumps({"modules": modules, "compiled": compiled, "openai": "openai" in had}))
"""


def told(when: str) -> Any:
    argv = [sys.executable, "-c", REPORT, str(ROOT / "docs" / "reports" / "standin-cached"), when]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_report_waits_for_no_module_and_no_template_that_could_be_had_before() -> None:
    late, early = told("late"), told("ahead")
    assert "banner.html" in late["compiled"]
    assert "fixtures.report.page" in late["modules"]
    assert not late["openai"]
    assert early == {"modules": [], "compiled": [], "openai": True}
