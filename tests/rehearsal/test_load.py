"""The CPU engine under a small load: every reply is its own, and the KV cache comes back."""

from fixtures.ask.load import Endpoint
from fixtures.server.api_server import RunningServer
from tests.acceptance.load.comparing import is_back, total
from tests.acceptance.load.measuring import compare, workload


def test_replies_among_neighbours_are_those_given_alone(server: RunningServer) -> None:
    told: list[str] = []
    load = workload(rehearse=True, prefix_caching=False, requests=24)
    row = compare(Endpoint.of(server), "rehearsed", load, 120.0, told.append)
    assert [stage["id"] for stage in row["stages"]] == ["alone", "again", "few", "some", "many", "cut", "long"]
    assert row["right_alone"] > row["questions"] / 2
    counts = {name: total(row, name) for name in ("failed", "leaked", "flips", "differ")}
    assert counts == {"failed": 0, "leaked": 0, "flips": 0, "differ": 0}
    assert total(row, "cut") > 0
    assert row["greedy_alone"][0] == row["greedy_alone"][1] > 0
    assert row["capacity"]["held"] > row["capacity"]["before"]
    assert is_back(row["capacity"])
