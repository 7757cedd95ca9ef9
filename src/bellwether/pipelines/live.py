"""Live bars: from the feed into the lake, through the streams of features, to the online store."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import polars as pl
import uuid_utils

from bellwether.core.errors import StorageError
from bellwether.core.feed import FedBar
from bellwether.core.ports import BarFeed, IngestionRow, LakeBatch, Ports, SourceQuery
from bellwether.core.types import AppendResult, Rejection
from bellwether.features.feature import FeatureView
from bellwether.features.views import DEFAULT, view
from bellwether.pipelines.basis import unmixed
from bellwether.pipelines.live_vectors import LiveVectors
from bellwether.pipelines.views_read import views_read
from bellwether.telemetry import LIVE_BARS, LIVE_SECONDS, get_logger

BATCH = 1000
WAIT_S = 1.0
RETRY_S = 0.25
COLUMNS = ("open", "high", "low", "close", "volume", "split_ratio", "dividend_usd")


@dataclass(frozen=True, slots=True)
class LiveReport:
    """What a consumer did: bars accepted and rejected, vectors given to the online store."""

    accepted: int
    rejected: int
    vectors: int


class LiveConsumer:
    """Takes live bars off the feed until told to stop.

    A batch is appended to the lake, then its vectors go to the online store, then it is taken off
    the feed. Killed in between, the next consumer of the shard does it again: the lake knows the
    bars already, and an older vector never replaces a newer one.

    Parameters
    ----------
    ports
        The platform.
    feed
        Where the bars come from.
    name
        This consumer, unlike any other that lives.
    every_s
        Seconds between signs of life; well below the time after which it counts as dead.
    batch
        Bars that go to the lake together: more make a day cheaper, fewer make a bar sooner seen.
    """

    def __init__(
        self, ports: Ports, feed: BarFeed, name: str, every_s: float, batch: int = BATCH
    ) -> None:
        self._ports = ports
        self._feed = feed
        self._name = name
        self._every_s = every_s
        self._batch = batch
        self._views: tuple[FeatureView, ...] = ()
        self._newest: str | None = None
        self._vectors = LiveVectors((view(DEFAULT),), ports)
        self._held: frozenset[int] = frozenset()
        self._fitting: set[tuple[str, str]] = set()

    def run(self, stopped: Callable[[], bool], pause: Callable[[float], object]) -> LiveReport:
        """Work until `stopped()`; while a store is away, `pause` and try again."""
        accepted = rejected = vectors = 0
        with self._alive():
            while not stopped():
                try:
                    batch = self._next()
                    done = self._work(batch) if batch else LiveReport(0, 0, 0)
                except StorageError as error:
                    get_logger(__name__).warning("live_waits", why=str(error))
                    pause(RETRY_S)
                    continue
                accepted += done.accepted
                rejected += done.rejected
                vectors += done.vectors
        return LiveReport(accepted, rejected, vectors)

    def _next(self) -> list[FedBar]:
        """Settle which shards are held, and take the oldest bars that are not done."""
        held = self._feed.hold(self._name)
        if self._look_at_releases() or held != self._held:
            symbols = [s for s in self._ports.lake.symbols() if self._feed.shard_of(s) in held]
            self._vectors.drop(symbols)
            watermark = self._ports.lake.watermark()
            if watermark is not None:
                self._vectors.warm(symbols, watermark)
            self._held = held
            get_logger(__name__).info("live_shards", held=sorted(held), symbols=len(symbols))
        return self._feed.take(self._name, self._batch, WAIT_S)

    def _look_at_releases(self) -> bool:
        """Say whether other views are read than before; then streams of those begin anew."""
        newest = next((row.release_id for row in self._ports.ledger.releases()), "")
        if newest == self._newest:
            return False
        views = tuple(
            k.view for k in views_read(self._ports) if not (k.view.across or k.view.reads_texts)
        )
        self._newest = newest
        if views == self._views:
            return False
        self._views, self._vectors = views, LiveVectors(views, self._ports)
        return True

    @LIVE_SECONDS.time()
    def _work(self, batch: Sequence[FedBar]) -> LiveReport:
        ports, started = self._ports, self._ports.wall.now()
        told = ports.live.read(batch, started)
        batch = batch[: told.rows_read]
        bars, mixes = self._fit(told.bars)
        rejections = (*told.rejections, *mixes)
        # Looked at again right before writing: another may have taken over from one that was slow.
        if self._feed.hold(self._name) != self._held:
            return LiveReport(0, 0, 0)
        result = ports.lake.append(LakeBatch(bars=bars, rejections=rejections), ports.wall.now())
        self._record(batch, bars, result, started)
        ports.clock.look()
        vectors = self._vectors.after(bars, result.watermark)
        ports.online.put(vectors)
        lost = self._feed.done(self._name, batch)
        if lost:
            get_logger(__name__).warning("live_shards_lost", lost=sorted(lost))
        LIVE_BARS.labels("accepted").inc(bars.height)
        LIVE_BARS.labels("rejected").inc(len(rejections))
        return LiveReport(bars.height, len(rejections), len(vectors))

    def _fit(self, bars: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Rejection, ...]]:
        """Refuse bars of a source that told a symbol adjusted before; each pair is looked up once."""
        pairs = set(bars.select("symbol", "source").iter_rows())
        if pairs <= self._fitting:
            return bars, ()
        fit, mixes = unmixed(bars, self._ports)
        self._fitting |= set(fit.select("symbol", "source").iter_rows())
        return fit, mixes

    def _record(
        self, batch: Sequence[FedBar], bars: pl.DataFrame, result: AppendResult, started: datetime
    ) -> None:
        asked = {"source": "live", "shards": sorted({bar.shard for bar in batch})}
        self._ports.ledger.record_ingestion(
            IngestionRow(
                ingestion_id=str(uuid_utils.uuid7()),
                source="live",
                started_at=started,
                finished_at=self._ports.wall.now(),
                watermark=result.watermark,
                read=len(batch),
                added=result.added,
                revised=result.revised,
                unchanged=result.unchanged,
                rejected=result.rejected,
                last_session=max(bars["session"].to_list(), default=None),
                request=json.dumps(asked, sort_keys=True),
            )
        )

    @contextmanager
    def _alive(self) -> Iterator[None]:
        """Say that this consumer lives, from a thread, until it stops; then let go of its shards."""
        ended = threading.Event()

        def keep() -> None:
            while not ended.wait(self._every_s):
                try:
                    self._feed.keep(self._name)
                except StorageError as error:
                    get_logger(__name__).warning("live_cannot_say_it_lives", why=str(error))

        thread = threading.Thread(target=keep, name="live-keep", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            try:
                self._feed.leave(self._name)
            except StorageError as error:  # its hold expires
                get_logger(__name__).warning("live_cannot_leave", why=str(error))


@dataclass(frozen=True, slots=True)
class Published:
    """How many bars were sent, and what was refused before."""

    sent: int
    rejections: tuple[Rejection, ...]


def publish(path: str, name: str, ports: Ports, feed: BarFeed) -> Published:
    """Send the bars of files to the feed as told by `name`, session by session.

    Raises
    ------
    UnreadableFile
        If a file cannot be read at all.
    Overloaded, Unavailable
        If the feed is full or away; what was sent before stays sent, and sending it again is safe.
    """
    query = SourceQuery(path=path, label=name)
    batch = ports.sources["files"].read(query, ports.wall.now())
    ordered = batch.bars.sort("session", "symbol")
    for _, day in ordered.group_by("session", maintain_order=True):
        rows = day.select("symbol", pl.col("session").cast(pl.String).alias("date"), *COLUMNS)
        feed.publish(
            [
                (row["symbol"], json.dumps({**row, "source": name}).encode())
                for row in rows.iter_rows(named=True)
            ]
        )
    return Published(batch.bars.height, batch.rejections)
