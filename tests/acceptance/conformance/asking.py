"""Asks what the rows say: raw, through the protocol's SDK, and every route of the app without a key."""

import json
from collections.abc import Callable
from importlib import import_module
from inspect import signature
from typing import Any, Final

from fixtures.client.client import Client, Server
from tests.acceptance.conformance.events import RoutesAsked, RowTried
from tests.acceptance.conformance.rows import Row, parsed

KEPT: Final = 2_000
"""Characters of an answer that evidence keeps."""

UNAUTHORIZED: Final = 401

Sdk = Callable[[Row, dict[str, Any]], str]


def ask(client: Client, row: Row, sdk: Sdk) -> RowTried:
    """Send a row's request, and once more through its SDK."""
    request = row.request(client.model_name)
    status, content_type, text = client.send(row.method, row.path, request, headers=row.headers)
    body = parsed(content_type, text)
    lacks = row.lacks(status, body)
    said = sdk(row, request or {}) if row.sdk and status == 200 else ""
    if said not in ("", "parsed", "not_installed"):
        lacks = [*lacks, f"{row.sdk}: {said}"]
    return RowTried(row.id, f"{row.method} {row.path}", status, lacks, said, text[:KEPT])


def through_sdks(client: Client, server: Server) -> Sdk:
    """Make what sends a request through the official SDK, which holds the answer against its own types."""

    def send(row: Row, request: dict[str, Any]) -> str:
        name, *way = row.sdk.split(".")
        try:
            package = import_module(name)
        except ImportError:
            return "not_installed"
        address = server.base_url if name == "openai" else server.base_url.removesuffix("/v1")
        key = {"api_key" if name == "openai" else "auth_token": server.api_key or "none"}
        maker = package.OpenAI if name == "openai" else package.Anthropic
        call = maker(base_url=address, http_client=client.http, max_retries=0, _strict_response_validation=True, **key)
        for part in way:
            call = getattr(call, part)
        named = signature(call).parameters  # what an SDK does not name, it hands on
        others = {key: value for key, value in request.items() if key not in named}
        try:
            answer: Any = call(**{key: value for key, value in request.items() if key in named}, extra_body=others)
            if request.get("stream"):
                list(answer)
        except Exception as failure:  # the SDK's, its HTTP package's, pydantic's
            return _reason(failure)[:300]
        return "parsed"

    return send


def _reason(failure: Exception) -> str:
    """Tell what an SDK's types miss in an answer: of several types that it could be, by the nearest."""
    cause: Any = failure.__cause__
    if not hasattr(cause, "errors"):
        return f"{type(failure).__name__}: {failure}"
    kinds: dict[Any, list[Any]] = {}
    for error in cause.errors():
        kind = error["loc"][0] if cause.title.startswith("union") else cause.title
        kinds.setdefault(kind, []).append(error)
    nearest = min(kinds.values(), key=lambda errors: (any(one["loc"][-1] == "type" for one in errors), len(errors)))
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in nearest)


def ask_without_a_key(client: Client) -> RoutesAsked:
    """Ask every route that the app says it has, without a key, by requests that cannot act.

    A list where a body is required, since no route takes one; GET where no more is asked for. A route that would act
    without a body (`/sleep`, `/terminate`) is asked by DELETE, which it does not have: a key that guards the whole app
    refuses that, too; else the app's own description says whether the route asks for a key.
    """
    status, _, text = client.send("GET", "/openapi.json")
    described: dict[str, Any] = json.loads(text)["paths"] if status == 200 else {}
    found: dict[str, list[str]] = {"guarded": [], "open": [], "unknown": []}
    for path, methods in described.items():
        for method, route in methods.items():
            found[_guard(client, path, method.upper(), route)].append(f"{method.upper()} {path[1:]}")
    for path in ("/openapi.json", "/metrics/"):
        status, _, _ = client.send("GET", path, key=False)
        if status != 404:
            found["guarded" if status == UNAUTHORIZED else "open"].append(f"GET {path[1:]}")
    return RoutesAsked(**found)


def _guard(client: Client, path: str, method: str, route: dict[str, Any]) -> str:
    """Tell whether a route asks for a key."""
    if method == "GET" and path.rpartition("/")[2] != "terminate":
        status, _, _ = client.send("GET", path, key=False)
    elif route.get("requestBody", {}).get("required"):
        status, _, _ = client.send(method, path, [], key=False)
    else:
        status, _, _ = client.send("DELETE", path, key=False)
        if status != UNAUTHORIZED:
            return "guarded" if route.get("security") else "open"
    if status is None:
        return "unknown"
    return "guarded" if status == UNAUTHORIZED else "open"
