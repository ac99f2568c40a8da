"""Plans against what was measured: every recorded ladder, a server that could not start, and a run of its own."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from fixtures.gpu.memory_model import OVERHEAD, Card, Geometry
from fixtures.plan.__main__ import OK, SHAPES, USAGE, WRONG, main, w4a16_bytes
from fixtures.plan.plan import ALLOWED, POLICIES, RESERVED_MIB, SHARES, Demand, Row, plan
from fixtures.standin.checkpoint import ARCHITECTURE, INTERNLM2_5_1_8B, STANDIN

ROOT: Final = Path(__file__).parents[3]
LADDERS: Final = ("vram-ladder-h100-80gb-hbm3", "vram-ladder-h200")
RUN: Final = ROOT / "docs" / "reports" / "geometry"
"""The 1.8B's shape, W4A16, int4 KV, share 0.4, on an H100."""

GEOMETRY_1_8B: Final = Geometry(layers=24, kv_heads=8, head_dim=128)
DEMAND: Final = Demand(
    weights_bytes={
        "bf16": 2 * INTERNLM2_5_1_8B.parameters(),
        "w4a16": w4a16_bytes({**vars(INTERNLM2_5_1_8B), "architectures": [ARCHITECTURE]}),
    },
    geometry=GEOMETRY_1_8B,
    session_len=32768,
)

WORST_READY: Final = 0.006
"""Of what the server took; docs/vram.md says so."""
WORST_TOKENS: Final = 0.031
"""One slab of 33, on the smallest cache."""


def record(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "docs" / "records" / f"{name}.json").read_text(encoding="utf-8"))
    return found


def planned(card: Card, demand: Demand = DEMAND, share: float = 0.4, policy: int = 4, context: int = 4096) -> list[Row]:
    return plan(card, demand, shares=[share], policies=[policy], context=context)


def w4a16(card: Card, **given: Any) -> Row:
    return next(row for row in planned(card, **given) if row.weights == "w4a16")


def test_plan_is_right_of_every_recorded_server() -> None:
    """Of the shape, the card's size and what is in use on it alone: nobody asked the driver what it reserves."""
    ready, tokens = [], []
    for name in LADDERS:
        ladder = record(name)
        for row in ladder["rows"]:
            card = Card(ladder["gpu_total_mib"], row["idle_mib"], RESERVED_MIB)
            (found,) = (
                one
                for one in planned(card, share=row["share"], policy=row["quant_policy"])
                if one.weights == row["weights"]
            )
            assert found.problem is None
            ready.append(abs(found.ready_mib - row["ready_mib"]) / (row["ready_mib"] - row["idle_mib"]))
            tokens.append(abs(found.kv_tokens / row["kv_tokens"] - 1))
    assert len(ready) == 15
    assert max(ready) <= WORST_READY <= ALLOWED
    assert max(tokens) <= WORST_TOKENS


QWEN: Final = {
    "architectures": ["Qwen2ForCausalLM"],
    "hidden_size": 1536,
    "intermediate_size": 8960,
    "num_attention_heads": 12,
    "num_hidden_layers": 28,
    "num_key_value_heads": 2,
    "tie_word_embeddings": False,
    "vocab_size": 151936,
}
QWEN_READY_MIB: Final = 34703
"""Qwen2.5-Coder-1.5B-Instruct, W4A16, int4 KV, share 0.4, on an H100: one server, one figure."""


def test_plan_holds_for_a_family_that_its_constants_were_not_measured_with() -> None:
    demand = Demand({"w4a16": w4a16_bytes(QWEN)}, Geometry.of(QWEN), 32768)
    assert w4a16(Card(81559, 0, RESERVED_MIB), demand=demand).ready_mib == pytest.approx(QWEN_READY_MIB, rel=0.003)


def test_server_that_did_not_start_was_not_planned_to() -> None:
    ladder = record(LADDERS[0])
    failed = ladder["failed_start"]
    card = Card(ladder["gpu_total_mib"], failed["idle_mib"], RESERVED_MIB)
    found = w4a16(card, share=failed["share"])
    assert found.problem is not None
    assert found.problem.id == "plan.workspace"
    assert (found.kv_tokens, found.users) == (0, 0)


def test_weights_that_exceed_the_card_are_told_apart_from_a_share_that_is_too_large() -> None:
    rest = sum(vars(OVERHEAD["w4a16"]).values())
    weights = DEMAND.weights_bytes["w4a16"] / 2**20
    for share in SHARES:
        short = w4a16(Card(weights + rest - 1, 0), share=share).problem
        assert short is not None
        assert short.id == "plan.weights"
    narrow = Card(weights + rest + 500, 0)
    problems = [w4a16(narrow, share=share).problem for share in (0.8, 0.2, 0.001)]
    assert [problem and problem.id for problem in problems] == ["plan.workspace", None, "plan.no_cache"]


def test_session_beyond_the_cache_is_cut_and_users_are_whole_contexts() -> None:
    small = w4a16(Card(6144, 0), share=0.2)
    assert small.problem is None
    assert small.limit is not None
    assert small.limit.fields == {"tokens": small.kv_tokens, "session_len": 32768}
    large = w4a16(Card(24576, 0))
    assert large.limit is None
    assert large.users == large.kv_tokens // 4096
    # A conversation takes whole blocks of 64 tokens: one token more than two blocks is a third block.
    assert w4a16(Card(24576, 0), context=129).users == large.kv_tokens // 192


Keep = Callable[..., Path]


@pytest.fixture
def keep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Keep:
    """Write the plan of the run's server, as if `date` were when; `change` is made to its row."""

    def written(date: str = "2026-01-01T00:00:00+00:00", card: str = "79.65", **change: Any) -> Path:
        file = tmp_path / "plan.json"
        wanted = ["--share", "0.4", "--quant-policy", "4", "--out", str(file)]
        assert main(["internlm2_5-1_8b", "--card", card, *wanted]) == OK
        capsys.readouterr()
        made: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        rows: list[Mapping[str, Any]] = [{**row, **change} for row in made["rows"]]
        file.write_text(json.dumps({**made, "date": date, "rows": rows}), encoding="utf-8")
        return file

    return written


def test_plan_made_before_a_run_is_found_right(keep: Keep, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--compare", str(keep()), str(RUN)]) == OK
    assert "right: w4a16, share 0.4" in capsys.readouterr().out


@pytest.mark.parametrize("run", ["real-kv8", "real-kv0"])
def test_plan_of_the_real_model_was_written_before_its_runs_and_is_right(run: str) -> None:
    """Its share of the weights decides, not the bits of the KV cache: one plan is of both runs."""
    plan_file = ROOT / "docs" / "records" / "plan-qwen2.5-coder-1.5b.json"
    assert main(["--compare", str(plan_file), str(ROOT / "docs" / "reports" / run)]) == OK


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ready_mib": 34735 * 1.021}, "WRONG: w4a16"),
        ({"share": 0.8}, "none of the run's servers"),
        ({"card": "24"}, "none of the run's servers"),
        ({"date": "2027-01-01T00:00:00+00:00"}, "no prediction"),
    ],
    ids=["off", "another-share", "another-card", "too-late"],
)
def test_plan_that_a_run_does_not_bear_out_is_not_right(
    keep: Keep, capsys: pytest.CaptureFixture[str], given: dict[str, Any], said: str
) -> None:
    assert main(["--compare", str(keep(**given)), str(RUN)]) == WRONG
    assert said in capsys.readouterr().out


def test_plan_of_the_stand_in_is_right_as_well(tmp_path: Path) -> None:
    file, run = tmp_path / "plan.json", ROOT / "docs" / "reports" / "standin-cold"
    assert main([str(STANDIN), "--card", "79.65", "--share", "0.4", "--out", str(file)]) == OK
    made = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**made, "date": "2026-01-01T00:00:00+00:00"}), encoding="utf-8")
    assert main(["--compare", str(file), str(run)]) == OK


def test_folder_is_planned_from_its_headers_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(STANDIN), "--card", "24", "--lang", "zh"]) == OK
    told = capsys.readouterr().out
    assert told.count("GiB  ") >= 2 * len(SHARES) * len(POLICIES)
    assert "启动后" in told


def test_one_line_tells_that_nothing_of_a_format_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["internlm2_5-7b", "--card", "12"]) == OK
    bf16, *others = [line for line in capsys.readouterr().out.splitlines() if "bf16" in line or "W4A16" in line]
    assert bf16.split()[:3] == ["bf16", "*", "*"]
    assert "does not fit: weights of 14759 MiB" in bf16
    assert len(others) == len(SHARES) * len(POLICIES)
    assert main(["internlm2_5-7b", "--card", "4"]) == WRONG


def test_plan_is_not_written_over_and_what_is_no_model_is_named(
    keep: Keep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = keep()
    before = file.read_bytes()
    assert main([next(iter(SHAPES)), "--card", "24", "--out", str(file)]) == USAGE
    assert file.read_bytes() == before
    assert main([str(tmp_path), "--card", "24"]) == USAGE
    assert "config.json" in capsys.readouterr().err
