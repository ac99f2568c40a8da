"""第 4.1 节 / Section 4.1: the api_server answers with the quantized model, and to this run alone."""

import pytest

from fixtures.client.client import Client
from fixtures.homework import MODEL_NAME
from fixtures.judge.deployment import UNAUTHORIZED, external_name_fault, key_fault, model_name_fault
from fixtures.run.api_key import new_key
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure, assert_no_fault
from fixtures.run.settings import Settings
from fixtures.server.api_server import RunningServer
from fixtures.server.readiness import ask

pytestmark = pytest.mark.gpu

QUESTION = {"model": MODEL_NAME, "messages": [{"role": "user", "content": "1+1"}], "max_tokens": 1}


@claim(
    "server.named_model",
    part="deployment",
    zh="api_server 以作业的模型名提供服务",
    en="The api_server names the homework's model",
)
def test_the_server_names_the_model(
    request: pytest.FixtureRequest, client: Client, settings: Settings, measure: Measure
) -> None:
    """The list of models has the homework's model and no other; a server at --base-url is named by its operator."""
    if settings.base_url is None:
        name = request.getfixturevalue("checkpoint").served_as
        measure("model", list(client.models), expected=[name])
        assert_no_fault(model_name_fault(client.models, name))
    else:
        measure("model", list(client.models))
        assert_no_fault(external_name_fault(client.models, settings.served_model_name, settings.given_checkpoint))


@claim(
    "server.requires_key",
    part="deployment",
    zh="没有密钥的请求被拒绝",
    en="A request without the key is refused",
    beyond=True,
)
def test_the_server_answers_only_who_has_the_key(server: RunningServer, measure: Measure) -> None:
    """Whoever else reaches the port is told nothing, neither the models nor a reply."""
    without, another = _statuses(server, ""), _statuses(server, new_key())
    measure("status_without_a_key", without, expected=[UNAUTHORIZED, UNAUTHORIZED])
    measure("status_with_another_key", another, expected=[UNAUTHORIZED, UNAUTHORIZED])
    assert_no_fault(key_fault([*without, *another]))


def _statuses(server: RunningServer, key: str) -> list[int | None]:
    """Ask for the model list and for a chat completion."""
    questions = (("/v1/models", None), ("/v1/chat/completions", QUESTION))
    return [ask(server.host, server.port, path, api_key=key, body=body).status for path, body in questions]
