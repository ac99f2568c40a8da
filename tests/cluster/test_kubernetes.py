"""docs/cluster/kubernetes.yaml: what Kubernetes would refuse is refused here, and its parts speak of one another."""

from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml

from fixtures.homework import MODEL_NAME
from fixtures.lmdeploy.capabilities import NEWEST_TRIED, capabilities
from fixtures.lmdeploy.commands import Program, serve_command
from fixtures.run.settings import resolve

ROOT: Final = Path(__file__).parents[2]
MANIFESTS: Final = ROOT / "docs" / "cluster" / "kubernetes.yaml"
DOCUMENTS: Final[list[dict[str, Any]]] = list(yaml.safe_load_all(MANIFESTS.read_text(encoding="utf-8")))
BY_KIND: Final = {document["kind"]: document for document in DOCUMENTS}

VERSIONS: Final = ("1.28", "1.31", "1.34", "1.37")
"""Of Kubernetes: old ones that clusters still run, to the newest whose schema the package carries."""

PORT: Final = 23333


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document["kind"])
def test_kubernetes_takes_it(document: dict[str, Any], version: str) -> None:
    """Strictly: a field that it does not know is an error."""
    kubernetes_validate.validate(document, version, strict=True)


def container(kind: str) -> dict[str, Any]:
    (found,) = BY_KIND[kind]["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_the_server_has_the_flags_that_the_suite_would_give_it() -> None:
    settings = resolve({"server_name": "0.0.0.0", "tp": "1"}.get, lambda _: None, {}, Path("/"))
    table = capabilities(NEWEST_TRIED)
    folder = Path("/models/internlm2_5-1_8b-chat-w4a16-4bit")
    ours = serve_command(Program(("lmdeploy",)), folder, MODEL_NAME, "awq", PORT, settings, table)
    given = container("Deployment")
    theirs = [*given["command"], *given["args"]]
    assert theirs[-2:] == ["--api-keys", "$(API_KEY)"]
    assert sorted(theirs[4:-2]) == sorted(ours.shown[4:])
    assert theirs[:4] == ["lmdeploy", "serve", "api_server", str(folder)]


def test_the_job_asks_the_service_that_leads_to_the_deployment() -> None:
    service, deployment = BY_KIND["Service"], BY_KIND["Deployment"]
    (port,) = service["spec"]["ports"]
    job = container("Job")
    arguments = dict(pairwise(job["args"]))
    assert arguments["--base-url"] == f"http://{service['metadata']['name']}:{port['port']}/v1"
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    (named,) = container("Deployment")["ports"]
    assert (port["targetPort"], named["containerPort"]) == (named["name"], PORT)


def test_both_take_the_key_from_one_secret_and_it_is_nowhere_else() -> None:
    (served,), (asked,) = container("Deployment")["env"], container("Job")["env"]
    assert served["valueFrom"] == asked["valueFrom"]
    assert (served["name"], asked["name"]) == ("API_KEY", "ACCEPTANCE_API_KEY")
    assert "sk-" not in MANIFESTS.read_text(encoding="utf-8")


def test_every_volume_that_is_mounted_is_there() -> None:
    for kind in ("Deployment", "Job"):
        pod = BY_KIND[kind]["spec"]["template"]["spec"]
        mounted = {mount["name"] for one in pod["containers"] for mount in one["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
