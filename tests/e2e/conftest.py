import pytest

from tests.e2e.house import Failure, stage_failure


@pytest.fixture(scope="session")
def failure(tmp_path_factory: pytest.TempPathFactory) -> Failure:
    """A failed canary, staged once; whoever changes anything moves to a copy."""
    return stage_failure(tmp_path_factory.mktemp("staged") / "ground")
