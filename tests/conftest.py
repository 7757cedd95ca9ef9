"""Every test is of one kind: the folder it lies in, which is also its marker."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests import servers

HERE = Path(__file__).parent
SHARED_DATA = HERE.parents[1] / "shared" / "data"

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(item.path.relative_to(HERE).parts[0])


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data beside the checkout, for tests only."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the shared test data lies in ../shared/data, which this machine does not have")
    return SHARED_DATA


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Postgres]:
    """A real PostgreSQL for this process of the suite; `fresh()` makes an empty database."""
    with servers.postgres() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[servers.Redis]:
    """A real Redis for this process of the suite; tests flush what they use."""
    with servers.redis_server() as server:
        yield server
