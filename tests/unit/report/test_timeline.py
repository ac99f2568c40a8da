"""The drawing of memory: its figures are those of the samples."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from fixtures.evidence.events import VramExpected
from fixtures.report.memory_section import phases
from fixtures.report.summary import Memory, summarize
from fixtures.report.timeline import NARROW, WIDE, Canvas, bands, draw, stretches, thinned
from fixtures.texts import Texts
from tests.unit.report import synthetic

SVG = "{http://www.w3.org/2000/svg}"


def drawn(memory: Memory, canvas: Canvas = WIDE) -> ElementTree.Element:
    return ElementTree.fromstring(draw(memory, Texts("zh"), canvas))


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


LOADING, CONTROL = (1.5, "loading"), (2.5, "control")


@pytest.mark.parametrize(
    ("phases", "peak"),
    [
        (((0.5, "quantization.smaller"), LOADING), (3.0, 8000.0)),
        ((LOADING, CONTROL, (3.5, "control.add")), (2.0, 5100.0)),
        ((LOADING, (2.5, "stopped"), (2.6, "bf16.loading")), (2.0, 5100.0)),
        ((CONTROL,), (1.0, 9000.0)),
        ((), (1.0, 9000.0)),
    ],
    ids=[
        "after a quantization",
        "beside another server",
        "before the servers of another suite",
        "no deployment",
        "no phase",
    ],
)
def test_peak_is_the_deployments(phases: tuple[tuple[float, str], ...], peak: tuple[float, float]) -> None:
    """A report of `-m "gpu or control"` showed 51.9 GiB above the threshold that its claim had met with 32.4."""
    samples = ((0.0, 0.0), (1.0, 9000.0), (2.0, 5100.0), (3.0, 8000.0), (4.0, 8000.0))
    assert Memory(samples, phases, None).peak == peak


@pytest.mark.parametrize(
    ("moments", "lengths"),
    [
        ([0.0, 0.1, 0.2, 1.5, 1.6], [3, 2]),
        ([0.0, 0.1, 0.2, 0.6, 0.7], [5]),
        ([0.0, 5.0, 10.0, 15.0, 60.0, 65.0], [4, 2]),
        ([0.0, 9.0], [2]),
        ([0.0, 0.0, 0.0, 0.0], [4]),
        ([0.0, 0.1, 0.2, 9.0, 20.0, 20.1], [3, 1, 2]),
    ],
    ids=["gap", "too short to be seen", "slow probe", "two samples", "one moment", "lone sample"],
)
def test_nothing_is_drawn_where_no_sample_was_taken(moments: list[float], lengths: list[int]) -> None:
    samples = tuple((t, 100.0) for t in moments)
    assert [len(part) for part in stretches(samples)] == lengths
    assert len(drawn(Memory(samples, ((0.0, "idle"),), None)).findall(".//{*}polyline")) == len(lengths)


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
@pytest.mark.parametrize("limit_mib", [13_803.0, 9_000.0], ids=["kept", "exceeded"])
def test_drawing_stays_on_its_canvas_with_limit_and_peak_in_place(canvas: Canvas, limit_mib: float) -> None:
    memory = summarize(synthetic.having(VramExpected, peak_limit_mib=limit_mib)).memory
    assert memory is not None
    picture = drawn(memory, canvas)
    points = re.findall(r"([\d.]+),([\d.]+)", picture.find(".//{*}polyline").attrib["points"])  # type: ignore[union-attr]
    assert len(points) > 100
    assert all(0 <= float(x) <= canvas.width and 0 <= float(y) <= canvas.height for x, y in points)
    limit = next(float(line.attrib["y1"]) for line in picture.iter(f"{SVG}line") if line.get("class") == "limit")
    peak = min(float(y) for _, y in points)
    assert float(picture.find(".//{*}circle").attrib["cy"]) == peak  # type: ignore[union-attr]
    assert (limit < peak) == (limit_mib > 9_000), "heights count from the top"


@pytest.mark.parametrize(
    "samples", [((1.0, 0.0),), ((1.0, 5.0), (1.0, 5.0)), ((0.0, 300.0), (7200.0, 300.0)), ((0.0, 1e6), (1e-3, 0.0))]
)
def test_odd_samples_can_be_drawn(samples: tuple[tuple[float, float], ...]) -> None:
    memory = Memory(samples, ((0.5, "idle"),), None)
    assert "nan" not in ElementTree.tostring(drawn(memory), encoding="unicode").lower()
    assert phases(memory, Texts("zh"))
