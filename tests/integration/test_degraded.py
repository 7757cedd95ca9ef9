"""On servers only: one of them goes away, what can be answered is, and the answer says what was missing."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests import object_servers, servers
from tests.waiting import until

from bellwether.bootstrap import Wired, bootstrap
from bellwether.core.clock import FixedClock
from bellwether.core.ports import SourceQuery
from bellwether.core.types import PredictionRequest
from bellwether.inference.service import PredictionService
from bellwether.pipelines import ingest, materialize, replay, train
from bellwether.settings import Settings

SAMPLE = "sample_data_ends_2013-03-01"
IBM = PredictionRequest("IBM")


@dataclass
class Stack:
    redis: servers.Redis
    s3: object_servers.S3
    settings: Settings


@pytest.fixture(scope="module")
def stack(postgres: servers.Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with servers.redis_server() as redis, object_servers.s3() as s3:
        settings = Settings(
            home=tmp_path_factory.mktemp("home"),
            database_url=postgres.fresh(),
            redis_url=redis.url,
            lake_url=s3.fresh(),
            releases_url=s3.fresh(),
            **s3.settings,
        )
        wired = bootstrap(settings)
        query = SourceQuery(symbols=("IBM", "MSFT"))
        ingest.run(ingest.IngestConfig("sample", query), wired.ports)
        materialize.run(wired.ports)
        asked = train.TrainConfig(model="linear", against=(), each=False, test_sessions=2000)
        train.run(asked, wired.ports)
        wired.close()
        yield Stack(redis, s3, settings)


@pytest.fixture
def wired(stack: Stack) -> Iterator[Wired]:
    made = bootstrap(stack.settings)
    yield made
    made.close()


def answered(service: PredictionService, request: PredictionRequest = IBM) -> tuple[str, ...]:
    return asyncio.run(service.answer(request)).degraded


def component(service: PredictionService, name: str) -> tuple[str, str]:
    found: Any = service.health()
    return found["status"], found["components"][name]["status"]


def test_all_on_servers_is_healthy_and_replays(wired: Wired) -> None:
    service = PredictionService(wired.ports)

    until(lambda: answered(service) == (SAMPLE,), "the event bus")

    assert service.health()["status"] == "healthy"
    report = replay.run(wired.ports, limit=10)
    assert report.equal == report.replayed > 0
    assert service.feature_store_stats()["store"] == "redis"


def test_a_bucket_that_hangs_stops_no_prediction(stack: Stack, wired: Wired) -> None:
    service = PredictionService(wired.ports)
    until(lambda: answered(service) == (SAMPLE,), "the event bus")
    stack.s3.pause()
    try:
        service.refresh()
        during = answered(service)
        state = component(service, "lake")
        again = bootstrap(stack.settings)  # and one that starts meanwhile
        late = PredictionService(again.ports)
        until(lambda: answered(late) == (SAMPLE,), "the late one")
        again.close()
    finally:
        stack.s3.resume()

    assert during == (SAMPLE,)
    assert state == ("degraded", "down")
    assert any("lake" in fault for fault in service.catalogue.faults)
    until(lambda: component(service, "lake")[1] == "healthy", "the bucket")
    service.refresh()
    assert service.catalogue.faults == ()


def test_redis_that_hangs_is_named_and_not_waited_for(stack: Stack, wired: Wired) -> None:
    service = PredictionService(wired.ports)
    until(lambda: answered(service) == (SAMPLE,), "the event bus")
    stack.redis.pause()
    try:
        found = answered(service, PredictionRequest("MSFT"))
        until(lambda: "online_store_away" in answered(service), "the bus to notice")
        state = component(service, "redis")
        stats: Any = service.feature_store_stats()
    finally:
        stack.redis.resume()

    assert found == (SAMPLE, "online_store_away")
    assert state == ("degraded", "down")
    assert stats["away"]
    assert stats["symbols"] is None
    until(lambda: answered(service) == (SAMPLE,), "redis")
    assert component(service, "redis")[1] == "healthy"


def test_redis_that_forgot_everything_is_filled_again(stack: Stack, wired: Wired) -> None:
    stack.redis.kill()
    stack.redis.start()
    service = PredictionService(wired.ports)

    until(lambda: answered(service) == (SAMPLE,), "the event bus")

    metadata: Any = service.feature_store_metadata("IBM")
    assert metadata["status"] == "fresh"
    assert len(metadata["versions"]) == 1


def test_age_is_counted_in_sessions_whatever_the_store_says(wired: Wired) -> None:
    from dataclasses import replace

    calendar = wired.ports.calendar

    def on(day: date) -> tuple[str, list[str]]:
        clock = FixedClock(calendar.close_of(day))
        service = PredictionService(replace(wired.ports, clock=clock))
        found: Any = asyncio.run(service.feature_store_features("IBM"))
        return found["status"], list(answered(service))

    fresh, stale, expired = (on(date(2013, 3, d)) for d in (1, 4, 5))

    assert fresh[0] == "fresh"
    assert (stale[0], "features_stale_1_sessions_old" in stale[1]) == ("stale", True)
    assert (expired[0], "features_expired_2_sessions_old" in expired[1]) == ("expired", True)


def test_an_mlflow_server_that_is_away_is_told_and_stops_nothing(
    stack: Stack, tmp_path: Path
) -> None:
    away = f"http://127.0.0.1:{servers.free_port()}"
    made = bootstrap(stack.settings.model_copy(update={"mlflow_uri": away, "home": tmp_path}))
    service = PredictionService(made.ports)

    state = component(service, "mlflow")
    asked = train.TrainConfig(
        symbols=("IBM",), model="historical_mean", against=(), each=False, test_sessions=2000
    )
    report = train.run(asked, made.ports)
    made.close()

    assert state == ("degraded", "down")
    assert any("mlflow" in note for note in report.notes)
