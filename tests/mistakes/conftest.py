"""What every case needs: an environment with the stand-in, whose engine can be imported, as the doctor tries."""

import pytest

from tests.faults.environment import Environment, create


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The environment of the inner runs."""
    made = create(tmp_path_factory.mktemp("environment") / "venv")
    for package, text in {"lmdeploy": "", "lmdeploy/turbomind": "_turbomind = None\n"}.items():
        (made.packages / package).mkdir()
        (made.packages / package / "__init__.py").write_text(text)
    (made.distribution("lmdeploy") / "top_level.txt").write_text("lmdeploy\n")
    return made
