"""Every part that is pictured says what the run was not."""

from __future__ import annotations

import re

import pytest

from fixtures.report.page import standalone
from fixtures.report.summary import summarize
from fixtures.texts import Texts
from tests.unit.report import synthetic


def stamped_sections(page: str) -> dict[str, list[str]]:
    """The stamps in each section of the page, by the section's id."""
    sections = re.findall(r'<section[^>]*id="(\w+)"[^>]*>(.*?)</section>', page, flags=re.DOTALL)
    return {id_: re.findall(r'class="stamp">([^<]+)<', content) for id_, content in sections}


@pytest.mark.parametrize("section", ["verdict", "deployment", "tools", "memory"])
def test_a_rehearsal_is_stamped_on_every_picture(section: str) -> None:
    run = summarize(synthetic.entries(synthetic.events(rehearsal=True)))
    assert "REHEARSAL" in stamped_sections(standalone(run, Texts("en")))[section]
    assert "排练 REHEARSAL" in stamped_sections(standalone(run, Texts("zh")))[section]


def test_a_run_of_the_real_model_on_a_gpu_carries_no_stamp() -> None:
    page = standalone(summarize(synthetic.entries()), Texts("en"))
    assert not any(stamped_sections(page).values())
