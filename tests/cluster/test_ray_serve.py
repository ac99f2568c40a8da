"""docs/cluster/ray-serve.yaml: what Ray Serve would refuse is refused here, and its application hands HTTP through."""

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import requests
import uvicorn
import yaml
from ray.serve.schema import ServeDeploySchema
from starlette.applications import Starlette
from starlette.routing import Route

from fixtures.homework import MODEL_NAME
from fixtures.lmdeploy.capabilities import NEWEST_TRIED, capabilities
from fixtures.lmdeploy.commands import Program, serve_command
from fixtures.run.settings import resolve

CLUSTER: Final = Path(__file__).parents[2] / "docs" / "cluster"
CONFIG: Final[dict[str, Any]] = yaml.safe_load((CLUSTER / "ray-serve.yaml").read_text(encoding="utf-8"))

SERVER: Final = """
import http.server, json, sys

class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        text = json.dumps({"path": self.path, "body": body, "key": self.headers.get("Authorization")}).encode()
        self.send_response(422 if body else 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_GET

port = int(sys.argv[sys.argv.index("--server-port") + 1])
http.server.ThreadingHTTPServer(("127.0.0.1", port), Echo).serve_forever()
"""
"""In place of an api_server: tells what it was asked, and refuses every POST with a status of its own."""

PORT: Final = 23334


def test_ray_serve_takes_it() -> None:
    schema = ServeDeploySchema.model_validate(CONFIG)
    (application,) = schema.applications
    (deployment,) = application.deployments
    assert (deployment.num_replicas, deployment.ray_actor_options.num_gpus) == (2, 1)


def test_the_server_has_the_flags_that_the_suite_would_give_it() -> None:
    settings = resolve({}.get, lambda _: None, {}, Path("/"))
    table = capabilities(NEWEST_TRIED)
    folder = Path("/models/internlm2_5-1_8b-chat-w4a16-4bit")
    ours = serve_command(Program(("lmdeploy",)), folder, MODEL_NAME, "awq", PORT, settings, table).shown
    address = ours.index("--server-name")
    (application,) = CONFIG["applications"]
    theirs = application["args"]["command"]
    assert theirs[3] == str(folder)
    assert sorted(theirs[4:]) == sorted((*ours[4:address], *ours[address + 4 :]))


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The replica's class behind a web server of its own instead of Ray's, with another server and no GPU."""
    (tmp_path / "server.py").write_text(SERVER)
    monkeypatch.syspath_prepend(CLUSTER)
    from ray_serve_app import ApiServer, app

    args = {"command": [sys.executable, str(tmp_path / "server.py")], "start_timeout_s": 60}
    assert app(args) is not None
    replica = ApiServer.func_or_class(*args.values())
    routes = [Route("/{path:path}", replica.__call__, methods=["GET", "POST"])]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), host="127.0.0.1", port=PORT, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    replica.check_health()
    yield f"http://127.0.0.1:{PORT}"
    server.should_exit = True
    thread.join(10)
    process = replica._process
    replica.__del__()
    assert process.poll() is not None
    with pytest.raises(RuntimeError, match="exited with code"):
        replica.check_health()


def test_status_body_and_key_arrive_as_they_were_sent(application: str) -> None:
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = "Bearer k"
    models = session.get(f"{application}/v1/models?a=1", timeout=30)
    refused = session.post(f"{application}/v1/chat/completions", data='{"tools":1}', timeout=30)
    assert models.json() == {"path": "/v1/models?a=1", "body": "", "key": "Bearer k"}
    assert refused.status_code == 422
    assert refused.json()["body"] == '{"tools":1}'
