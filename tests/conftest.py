"""Every test is of one kind: the folder it lies in, which is also its marker."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests import object_servers, servers

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
    """Run a real PostgreSQL for this process of the suite; `fresh()` makes an empty database."""
    with servers.postgres() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[servers.Redis]:
    """Run a real Redis for this process of the suite; tests flush what they use."""
    with servers.redis_server() as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[object_servers.S3]:
    """Run a real S3 for this process of the suite; `fresh()` makes an empty bucket."""
    with object_servers.s3() as server:
        yield server


@pytest.fixture(scope="session")
def mlflow_server(
    postgres: servers.Postgres, s3: object_servers.S3
) -> Iterator[object_servers.Mlflow]:
    """Run a real MLflow server on PostgreSQL and S3 for this process of the suite."""
    with object_servers.mlflow_server(postgres, s3) as server:
        yield server
