"""A Ray Serve application: each replica is one `lmdeploy serve api_server` with a GPU of its own, its HTTP handed on.

Statuses, headers and streams arrive as lmdeploy sent them. Ray chooses the GPU (`CUDA_VISIBLE_DEVICES`), starts a
replica again that fails its health check, and spreads the requests. The key, if any, is in the environment: API_KEY.
"""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from ray import serve
from starlette.requests import Request
from starlette.responses import StreamingResponse

HOST = "127.0.0.1"

OWN = frozenset({"host", "connection", "transfer-encoding", "content-length"})
"""Headers of one connection, which are not handed on to the next."""

STOP_TIMEOUT_S = 30.0
"""lmdeploy's server takes about 3.5 s to stop on SIGINT."""


@serve.deployment
class ApiServer:
    """One api_server, for as long as the replica lives.

    :param command: without address and key.
    :param start_timeout_s: seconds until `/health` must answer 200.
    """

    def __init__(self, command: list[str], start_timeout_s: float) -> None:
        with socket.socket() as free:
            free.bind((HOST, 0))
            port = free.getsockname()[1]
        key = os.environ.get("API_KEY")
        argv = [*command, "--server-name", HOST, "--server-port", str(port), *(["--api-keys", key] if key else [])]
        self._process = subprocess.Popen(argv, start_new_session=True)
        self._url = f"http://{HOST}:{port}"
        self._session: aiohttp.ClientSession | None = None
        self._wait(f"{self._url}/health", start_timeout_s)

    def _wait(self, health: str, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while time.monotonic() < deadline:
            self.check_health()
            with contextlib.suppress(OSError), opener.open(health, timeout=2.0):
                return
            time.sleep(0.5)
        self.__del__()
        raise TimeoutError(f"the api_server was not ready after {timeout:g} s")

    def check_health(self) -> None:
        """Ray asks every few seconds; a replica that raises is started again."""
        if self._process.poll() is not None:
            raise RuntimeError(f"the api_server exited with code {self._process.returncode}")

    async def __call__(self, request: Request) -> StreamingResponse:
        """Hand a request on, and its answer back while it comes."""
        if self._session is None:  # needs the replica's event loop
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None), auto_decompress=False)
        answer = await self._session.request(
            request.method,
            f"{self._url}{request.url.path}?{request.url.query}".rstrip("?"),
            headers={name: value for name, value in request.headers.items() if name not in OWN},
            data=await request.body(),
        )
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in OWN}
        return StreamingResponse(_parts(answer), status_code=answer.status, headers=headers)

    def __del__(self) -> None:
        """Ray calls this when the replica ends; its worker process takes nothing else along."""
        with contextlib.suppress(AttributeError, ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGINT)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)


async def _parts(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async with answer:
        async for part in answer.content.iter_any():
            yield part


def app(args: dict[str, Any]) -> serve.Application:
    """What `import_path` names; `args` are in ray-serve.yaml."""
    return ApiServer.bind(args["command"], args["start_timeout_s"])
