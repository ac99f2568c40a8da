"""第 4.1 节 / Section 4.1: the api_server answers with the quantized model."""

import pytest

from fixtures.client import Client
from fixtures.homework import MODEL_NAME
from fixtures.measurement import Measure

pytestmark = pytest.mark.gpu


@pytest.mark.claim("server.named_model")
def test_the_server_names_the_model(client: Client, measure: Measure) -> None:
    """`client.models.list().data[0].id` is the homework's model."""
    measure("model", client.model_name, limit=MODEL_NAME)
    assert client.model_name == MODEL_NAME
