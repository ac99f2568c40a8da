"""The drawing of memory: its figures are those of the samples."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest

from fixtures.report.memory_section import phases
from fixtures.report.summary import Memory, RunSummary, summarize
from fixtures.report.timeline import NARROW, WIDE, Canvas, bands, draw, thinned
from fixtures.texts import Texts
from tests.unit.report import synthetic

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def memory(run: RunSummary) -> Memory:
    assert run.memory is not None
    return run.memory


def drawn(memory: Memory, canvas: Canvas = WIDE) -> ElementTree.Element:
    return ElementTree.fromstring(draw(memory, Texts("zh"), canvas, "wide"))


def limit_and_peak(picture: ElementTree.Element) -> tuple[float, float]:
    """Their heights on the canvas, which count from its top."""
    limit = next(line for line in picture.iter(f"{SVG}line") if line.get("class") == "limit")
    circle = picture.find(".//{*}circle")
    assert circle is not None
    return float(limit.attrib["y1"]), float(circle.attrib["cy"])


def test_phases_follow_one_another(memory: Memory) -> None:
    found = bands(memory)
    assert [band.phase for band in found] == ["idle", "quantization", "loading", "ready", "tests", "stopped"]
    assert all(before.end == after.start for before, after in pairwise(found))


def test_what_uses_the_gpu_before_the_server_is_the_quantization() -> None:
    marks = ((0.0, "idle"), (1.0, "quantizing"), (30.0, "loading"), (42.0, "chat.x"), (43.0, "quantization.artefact"))
    memory = Memory(((0.0, 0.0), (20.0, 900.0), (45.0, 5000.0)), marks, None)
    assert [(band.phase, band.start, band.end) for band in bands(memory)] == [
        ("idle", 0.0, 1.0),
        ("quantization", 1.0, 30.0),
        ("loading", 30.0, 42.0),
        ("tests", 42.0, 45.0),
    ]
    assert "quantizing" not in str(phases(memory, Texts("zh")))


def test_peak_is_the_servers_and_not_the_quantizations() -> None:
    samples = ((0.0, 100.0), (1.0, 9000.0), (2.0, 100.0), (3.0, 5000.0), (4.0, 4000.0))
    phases = ((0.0, "idle"), (0.5, "quantization.smaller"), (2.0, "loading"))
    assert Memory(samples, phases, None).peak == (3.0, 5000.0)
    assert Memory(samples, (), None).peak == (1.0, 9000.0)


def test_peak_is_the_deployments_and_not_that_of_a_server_beside_it() -> None:
    """A report of `-m "gpu or control"` showed 51.9 GiB above the threshold that its claim had held with 32.4."""
    samples = ((0.0, 0.0), (1.0, 5000.0), (2.0, 5100.0), (3.0, 9000.0), (4.0, 9000.0))
    loading, control = (0.5, "loading"), (2.5, "control")
    assert Memory(samples, (loading, control, (3.5, "control.add")), None).peak == (2.0, 5100.0)
    assert Memory(samples, ((0.1, "control"),), None).peak == (3.0, 9000.0), (
        "a run of another suite alone has no deployment"
    )


def test_thinning_loses_no_extreme() -> None:
    samples = [(float(n), 5.0) for n in range(10_000)]
    samples[4321] = (4321.0, 99.0)
    samples[7777] = (7777.0, 1.0)
    kept = thinned(samples, 500)
    assert len(kept) <= 1_002
    assert {samples[0], samples[4321], samples[7777], samples[-1]} <= set(kept)
    assert kept == sorted(kept)
    assert thinned(samples[:10], 500) == samples[:10]


@pytest.mark.parametrize("canvas", [WIDE, NARROW], ids=["wide", "narrow"])
def test_drawing_stays_on_its_canvas(memory: Memory, canvas: Canvas) -> None:
    picture = drawn(memory, canvas)
    points = re.findall(r"([\d.]+),([\d.]+)", picture.find(".//{*}polyline").attrib["points"])  # type: ignore[union-attr]
    assert len(points) > 100
    assert all(0 <= float(x) <= canvas.width and 0 <= float(y) <= canvas.height for x, y in points)
    limit, peak = limit_and_peak(picture)
    assert limit < peak == min(float(y) for _, y in points)


def test_threshold_that_was_exceeded_is_below_the_peak() -> None:
    memory = summarize(synthetic.entries(synthetic.events(limit_peak=9_000.0))).memory
    assert memory is not None
    limit, peak = limit_and_peak(drawn(memory))
    assert limit > peak


@pytest.mark.parametrize(
    "samples", [((1.0, 0.0),), ((1.0, 5.0), (1.0, 5.0)), ((0.0, 300.0), (7200.0, 300.0)), ((0.0, 1e6), (1e-3, 0.0))]
)
def test_odd_samples_can_be_drawn(samples: tuple[tuple[float, float], ...]) -> None:
    memory = Memory(samples, ((0.5, "idle"),), None)
    assert "nan" not in ElementTree.tostring(drawn(memory), encoding="unicode").lower()
    assert phases(memory, Texts("zh"))
