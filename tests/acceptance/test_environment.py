"""第 1、2 节 / Sections 1 and 2: the machine and the environment."""

import pytest

from fixtures.evidence.events import EnvironmentRecorded
from fixtures.judge.deployment import environment_fault
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure, assert_no_fault
from fixtures.run.settings import Settings

pytestmark = pytest.mark.gpu


@claim(
    "environment.recorded",
    part="deployment",
    zh="环境已记录：GPU、驱动、lmdeploy 与 Python 版本",
    en="The environment is recorded",
)
def test_the_environment_is_known(environment: EnvironmentRecorded, measure: Measure, settings: Settings) -> None:
    """GPU, driver, lmdeploy and Python are what the report says they are."""
    measure("gpu", environment.gpu or [])
    measure("lmdeploy", environment.versions.get("lmdeploy", []))
    assert_no_fault(environment_fault(environment, on_gpu=not settings.rehearse))
