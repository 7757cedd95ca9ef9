"""Buckets that cannot be reached: every store says so soon, and what is at hand goes on."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from tests import object_servers
from tests.object_servers import S3, failing_server, lossy
from tests.servers import free_port
from tests.waiting import until

from bellwether.core.errors import StorageError, Unavailable
from bellwether.core.ports import LakeBatch, SourceQuery
from bellwether.featurestore.offline import DeltaFeatureStore
from bellwether.lake.delta import DeltaLake
from bellwether.links.bucket import TIMEOUT_S
from bellwether.registry.folder import FolderReleases
from bellwether.registry.objects import ObjectReleases
from bellwether.settings import Settings
from bellwether.sources.sample import SampleSource

NOW = datetime(2024, 1, 10, tzinfo=UTC)
BARS = SampleSource().read(SourceQuery(symbols=("IBM",)), NOW).bars.tail(100)
SECRET = "kept-out-of-messages"  # noqa: S105 - of no server
PATIENCE_S = TIMEOUT_S + 1.5
FRAME = pl.DataFrame(
    {"symbol": ["ABC"], "session": [NOW.date()], "last_close": [1.0], "ret": [0.5]}
)

Call = Callable[[], object]


def options(endpoint: str) -> dict[str, str]:
    told = {"s3_endpoint": endpoint, "s3_access_key": "key", "s3_secret_key": SECRET}
    return Settings(**told).storage_options


def calls(endpoint: str, folder: Path) -> list[tuple[str, Call]]:
    """Every way to use a bucket, by the store that has to name itself; each with a breaker of its own."""
    to = options(endpoint)

    def lake() -> DeltaLake:
        return DeltaLake("s3://lake/x", to)

    def features() -> DeltaFeatureStore:
        return DeltaFeatureStore("s3://lake/x", to)

    def releases() -> ObjectReleases:
        return ObjectReleases("s3://releases/x", to, FolderReleases(folder))

    return [
        ("lake", lambda: lake().watermark()),
        ("lake", lambda: lake().bars(["ABC"])),
        ("lake", lambda: features().write(FRAME, "v@1", NOW)),
        ("lake", lambda: features().latest("v@1", NOW)),
        ("releases", lambda: releases().save({"a": b"1"}, {})),
        ("releases", lambda: releases().load("r" + "0" * 20)),
        ("releases", lambda: releases().ids()),
    ]


@dataclass(frozen=True)
class Outcome:
    """What came of a call: which store was asked, what it raised, and after how long."""

    store: str
    error: StorageError
    took_s: float


def outcomes(endpoint: str, folder: Path) -> list[Outcome]:
    def one(call: tuple[str, Call]) -> Outcome:
        begun = time.monotonic()
        with pytest.raises(StorageError) as raised:
            call[1]()
        assert raised.value.store == call[0]
        assert SECRET not in str(raised.value)
        return Outcome(call[0], raised.value, time.monotonic() - begun)

    asked = calls(endpoint, folder)
    with ThreadPoolExecutor(len(asked)) as together:
        return list(together.map(one, asked))


@contextmanager
def within(seconds: float) -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


def answers(call: Call) -> bool:
    try:
        call()
    except Unavailable:
        return False
    return True


def test_a_refused_connection_is_told_within_three_seconds(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"

    for found in outcomes(address, tmp_path):
        assert isinstance(found.error, Unavailable)
        assert f"{address} does not answer" in str(found.error)
        assert found.took_s < 3


@pytest.mark.parametrize("how", ["reset", "close", "junk", "500", "503", "429"])
def test_a_server_that_fails_counts_as_away(tmp_path: Path, how: str) -> None:
    with failing_server(how) as address:
        for found in outcomes(address, tmp_path):
            assert isinstance(found.error, Unavailable)
            assert found.took_s < 3


def test_half_an_answer_is_an_error_of_ours(tmp_path: Path) -> None:
    with failing_server("cut") as address:
        assert max(found.took_s for found in outcomes(address, tmp_path)) < 3


def test_a_server_that_refuses_is_not_away(tmp_path: Path) -> None:
    with failing_server("403") as address:
        for found in outcomes(address, tmp_path):
            assert not isinstance(found.error, Unavailable)
            assert "403" in str(found.error)


def test_a_bucket_that_does_not_exist_is_no_missing_release(s3: S3, tmp_path: Path) -> None:
    for found in outcomes(s3.url, tmp_path):
        assert not isinstance(found.error, Unavailable)
        assert "NoSuchBucket" in str(found.error)


def test_silence_ends_at_the_deadline(tmp_path: Path) -> None:
    with failing_server("silent") as address:
        for found in outcomes(address, tmp_path):
            assert isinstance(found.error, Unavailable)
            assert found.took_s < PATIENCE_S


def test_a_server_that_is_away_is_asked_seldom() -> None:
    lake = DeltaLake("s3://lake/x", options(f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(Unavailable):
        lake.watermark()

    with within(0.05), pytest.raises(Unavailable, match="does not answer"):
        lake.watermark()


def test_a_frozen_bucket_thaws(s3: S3) -> None:
    features = DeltaFeatureStore(f"{s3.fresh()}/lake", s3.options)
    features.write(FRAME, "v@1", NOW)
    s3.pause()
    try:
        with within(PATIENCE_S), pytest.raises(Unavailable):
            features.latest("v@1", NOW)
    finally:
        s3.resume()

    until(lambda: answers(lambda: features.latest("v@1", NOW)), "the breaker to close", 10)
    assert features.write(FRAME, "v@1", NOW) == 0
    assert len(features.latest("v@1", NOW)) == 1


def test_releases_at_hand_serve_while_the_bucket_is_dead(tmp_path: Path) -> None:
    with object_servers.s3() as server:
        bucket, cache = server.fresh(), FolderReleases(tmp_path)
        release = ObjectReleases(bucket, server.options, cache).save({"a": b"1"}, {"model": "x"})
        other = FolderReleases(tmp_path / "other")
        ObjectReleases(bucket, server.options, other).load(release)
        server.kill()

        for kept in (cache, other):
            restarted = ObjectReleases(bucket, server.options, kept)
            assert restarted.load(release).files == {"a": b"1"}
            with within(2), pytest.raises(Unavailable, match="releases"):
                restarted.ids()
            with within(2), pytest.raises(Unavailable, match="releases"):
                restarted.save({"a": b"2"}, {"model": "x"})


def test_the_same_store_goes_on_when_the_server_is_back(tmp_path: Path) -> None:
    with object_servers.s3() as server:
        bucket = server.fresh()
        releases = ObjectReleases(bucket, server.options, FolderReleases(tmp_path))
        server.kill()
        for _ in range(4):
            with pytest.raises(Unavailable):
                releases.ids()

        server.start()
        server.fresh(bucket.removeprefix("s3://"))

        until(lambda: answers(releases.ids), "the breaker to close", 10)
        assert releases.ids() == []


def test_a_copy_that_was_tampered_with_is_fetched_anew(s3: S3, tmp_path: Path) -> None:
    bucket, cache = s3.fresh(), FolderReleases(tmp_path)
    releases = ObjectReleases(bucket, s3.options, cache)
    release = releases.save({"a": b"1"}, {"model": "x"})
    (tmp_path / release / "a").write_bytes(b"2")

    assert releases.load(release).files == {"a": b"1"}
    assert cache.load(release).files == {"a": b"1"}


def test_a_copy_that_cannot_be_kept_does_not_matter(s3: S3, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    bucket = s3.fresh()
    release = ObjectReleases(bucket, s3.options, FolderReleases(tmp_path / "other")).save(
        {"a": b"1"}, {"model": "x"}
    )

    found = ObjectReleases(bucket, s3.options, FolderReleases(blocked)).load(release)

    assert found.files == {"a": b"1"}


def of_a_commit(method: str, path: str) -> bool:
    return method == "PUT" and "/_delta_log/" in path


def test_a_commit_that_does_not_arrive_is_told_as_away_and_can_be_repeated(s3: S3) -> None:
    bucket = s3.fresh()
    DeltaLake(bucket, s3.options).append(LakeBatch(bars=BARS.head(1)), NOW)
    with lossy(s3, of_a_commit, delivered=False) as address:
        lake = DeltaLake(bucket, options(address))
        with within(PATIENCE_S), pytest.raises(Unavailable, match="lake"):
            lake.append(LakeBatch(bars=BARS), NOW)

    again = DeltaLake(bucket, s3.options).append(LakeBatch(bars=BARS), NOW)

    assert (again.added, again.unchanged) == (99, 1)


def test_a_commit_whose_answer_was_lost_is_made_once(s3: S3) -> None:
    bucket, lost = s3.fresh(), list[str]()

    def first_of_each(method: str, path: str) -> bool:
        """Lose the answer to the first attempt at each commit."""
        if not of_a_commit(method, path) or path in lost:
            return False
        lost.append(path)
        return True

    with lossy(s3, first_of_each, delivered=True) as address:
        DeltaLake(bucket, options(address)).append(LakeBatch(bars=BARS), NOW)
        DeltaFeatureStore(bucket, options(address)).write(FRAME, "v@1", NOW)

    kept = DeltaLake(bucket, s3.options)
    assert len(lost) >= 4
    assert kept.bars().height == BARS.height
    assert kept.append(LakeBatch(bars=BARS), NOW).unchanged == BARS.height
    assert DeltaFeatureStore(bucket, s3.options).history("ABC", "v@1", NOW).height == 1


def test_a_release_is_there_only_when_all_of_it_is(s3: S3, tmp_path: Path) -> None:
    bucket, files = s3.fresh(), {"a": b"1", "b": b"2", "c": b"3"}

    def of_the_last(method: str, path: str) -> bool:
        return method == "PUT" and path.endswith("/c")

    with lossy(s3, of_the_last, delivered=False) as address:
        broken = ObjectReleases(bucket, options(address), FolderReleases(tmp_path / "1"))
        with pytest.raises(Unavailable, match="releases"):
            broken.save(files, {})
    seen = ObjectReleases(bucket, s3.options, FolderReleases(tmp_path / "2"))

    assert seen.ids() == []
    assert seen.load(seen.save(files, {})).files == files
    assert len(seen.ids()) == 1
