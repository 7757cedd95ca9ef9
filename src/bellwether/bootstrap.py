"""The wiring: settings in, ports out. The only place that sees the adapters."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bellwether.core.calendar import SessionCalendar, session_calendar
from bellwether.core.clock import FixedClock, SampleClock, SystemClock
from bellwether.core.errors import StorageError
from bellwether.core.ports import (
    BarFeed,
    Clock,
    Ledger,
    OnlineStore,
    Ports,
    ReleaseStore,
    RequestQueue,
    SentimentScorer,
)
from bellwether.database.engine import connect
from bellwether.database.ledger import SqlLedger
from bellwether.database.migrate import migrate
from bellwether.database.predictions import SqlPredictionLog
from bellwether.featurestore.offline import DeltaFeatureStore
from bellwether.featurestore.online import InProcessOnlineStore
from bellwether.jobs.dbos_jobs import DbosJobs
from bellwether.lake.delta import DeltaLake
from bellwether.links.bucket import is_remote
from bellwether.registry.folder import FolderReleases
from bellwether.registry.mlflow_mirror import MlflowMirror
from bellwether.registry.objects import ObjectReleases
from bellwether.registry.work import ObjectWorkFiles
from bellwether.sentiment.lazy import LazyScorer
from bellwether.sentiment.lexicon import LexiconScorer
from bellwether.settings import Settings
from bellwether.sources.corporate_actions import ActionsSource
from bellwether.sources.files import FilesSource
from bellwether.sources.live import LiveBars
from bellwether.sources.membership import UniverseSource
from bellwether.sources.quotes import QuotesSource
from bellwether.sources.sample import LAST_SESSION, SampleSource
from bellwether.sources.sectors import SectorsSource
from bellwether.sources.texts import TextsSource

WITHOUT_BARS = (UniverseSource(), ActionsSource(), QuotesSource(), TextsSource(), SectorsSource())


@dataclass(frozen=True, slots=True)
class Wired:
    """The ports, and how to let go of what they hold."""

    ports: Ports
    ends: tuple[Callable[[], None], ...]

    def close(self) -> None:
        """Write what waits, and let go of connections and threads."""
        for end in self.ends:
            end()


def bootstrap(settings: Settings) -> Wired:
    """Build every port once.

    Raises
    ------
    Unavailable
        If the database is a server that is away; nothing is left open then.
    StorageError
        If the home folder or the database cannot be used.
    """
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError("home", f"{settings.home}: {error.strerror}") from error
    migrate(settings.database)
    engine = connect(settings.database, settings.database_pool)
    ledger = SqlLedger(engine)
    calendar = session_calendar()
    online, queue, feed = _redis(settings) if settings.redis_url else (_in_process(), None, None)
    ports = Ports(
        clock=_clock(settings, ledger, calendar),
        wall=SystemClock(),
        calendar=calendar,
        sources={s.name: s for s in (SampleSource(), FilesSource(), *WITHOUT_BARS)},
        live=LiveBars(),
        lake=DeltaLake(settings.lake, settings.storage_options),
        features=DeltaFeatureStore(settings.lake, settings.storage_options),
        online=online,
        queue=queue,
        feed=feed,
        releases=_releases(settings),
        work=ObjectWorkFiles(settings.work, settings.storage_options),
        ledger=ledger,
        log=SqlPredictionLog(engine, deadline_s=settings.write_deadline_s),
        tracker=MlflowMirror(settings.mlflow, str((settings.home / "mlflow").resolve())),
        jobs=(jobs := DbosJobs(settings.jobs, SystemClock())),
        sentiment=scorer(settings),
    )
    return Wired(ports, (jobs.close, ports.log.close, ports.online.close, engine.dispose))


def scorer(settings: Settings) -> SentimentScorer:
    """Build what scores headlines; a model or a list of the user is read when it is first asked."""
    lexicon = LexiconScorer()
    if settings.sentiment == "lexicon" and not settings.sentiment_words:
        return lexicon
    instead = lexicon if settings.sentiment_fallback == "lexicon" else None
    return LazyScorer(lambda: loaded(settings), instead)


def loaded(settings: Settings) -> SentimentScorer:
    """Build what scores headlines, with all that it reads; nothing stands in for it."""
    if settings.sentiment == "finbert":
        return exported(settings.sentiment_folder, settings.workers)
    if settings.sentiment_words:
        from bellwether.sentiment.wordlist import WordListScorer, read_words

        return WordListScorer(read_words(Path(settings.sentiment_words)))
    return LexiconScorer()


def exported(folder: Path, threads: int) -> SentimentScorer:
    """Load the text model in a folder; `threads` is how many texts are run at a time."""
    from bellwether.sentiment.finbert import FinbertScorer

    return FinbertScorer(folder, threads)


def _releases(settings: Settings) -> ReleaseStore:
    if is_remote(settings.releases):
        cache = FolderReleases(settings.home / "releases")
        return ObjectReleases(settings.releases, settings.storage_options, cache)
    return FolderReleases(Path(settings.releases))


def _clock(settings: Settings, ledger: Ledger, calendar: SessionCalendar) -> Clock:
    if settings.clock == "system":
        return SystemClock()
    at = settings.stands_at
    if at is not None:
        return FixedClock(at, (f"clock_stands_at_{at:%Y-%m-%dT%H:%MZ}",))

    timeless = {SampleSource.name, *(source.name for source in WITHOUT_BARS)}

    def only_sample() -> bool:
        return {row.source for row in ledger.ingestions()} <= timeless

    until = calendar.close_of(LAST_SESSION)
    return SampleClock(until, only_sample, f"sample_data_ends_{LAST_SESSION}")


def _in_process() -> OnlineStore:
    return InProcessOnlineStore(SystemClock())


def _redis(settings: Settings) -> tuple[OnlineStore, RequestQueue, BarFeed]:
    from bellwether.events.redis_bus import RedisBus
    from bellwether.events.redis_feed import RedisBarFeed
    from bellwether.events.redis_queue import RedisRequestQueue
    from bellwether.featurestore.cached import CachedOnlineStore
    from bellwether.featurestore.redis_store import RedisOnlineStore
    from bellwether.links.redis import RedisLink

    link = RedisLink(
        settings.redis_url, cluster=settings.redis_cluster, timeout_s=settings.redis_timeout_s
    )
    bus = RedisBus(link)
    far = RedisOnlineStore(link, bus, SystemClock(), expire_days=settings.redis_expire_days)
    queue = RedisRequestQueue(link, capacity=settings.queue_capacity)
    feed = RedisBarFeed(link, bus, shards=settings.live_shards, lease_s=settings.live_lease_s)
    return CachedOnlineStore(far, bus), queue, feed
