"""The wiring: settings in, ports out. The only place that sees the adapters."""

from dataclasses import dataclass
from datetime import date

from bellwether.core.calendar import SessionCalendar, session_calendar
from bellwether.core.clock import FixedClock, SystemClock
from bellwether.core.errors import StorageError
from bellwether.core.ports import Clock, Ports
from bellwether.database.engine import connect, migrate
from bellwether.database.ledger import SqlLedger
from bellwether.database.predictions import SqlPredictionLog
from bellwether.featurestore.offline import DeltaFeatureStore
from bellwether.featurestore.online import InProcessOnlineStore
from bellwether.lake.delta import DeltaLake
from bellwether.registry.folder import FolderReleases
from bellwether.registry.mlflow_mirror import MlflowMirror
from bellwether.sentiment.lexicon import LexiconScorer
from bellwether.settings import Settings
from bellwether.sources.files import FilesSource
from bellwether.sources.sample import LAST_SESSION, SampleSource


@dataclass(frozen=True, slots=True)
class Wired:
    """The ports, and what every answer has to say about them."""

    ports: Ports
    standing: tuple[str, ...]


def bootstrap(settings: Settings) -> Wired:
    """Build every port once.

    Raises
    ------
    StorageError
        If the home folder or the database cannot be used.
    """
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError("home", f"{settings.home}: {error.strerror}") from error
    engine = connect(settings.database)
    migrate(engine)
    ledger = SqlLedger(engine)
    calendar = session_calendar()
    told = {row.source for row in ledger.ingestions()}
    fixed = settings.clock == "auto" and told <= {SampleSource.name}
    clock: Clock = _sample_clock(calendar, LAST_SESSION) if fixed else SystemClock()
    ports = Ports(
        clock=clock,
        wall=SystemClock(),
        calendar=calendar,
        sources={s.name: s for s in (SampleSource(), FilesSource())},
        lake=DeltaLake(settings.lake),
        features=DeltaFeatureStore(settings.lake),
        online=InProcessOnlineStore(SystemClock()),
        queue=None,
        releases=FolderReleases(settings.home / "releases"),
        ledger=ledger,
        log=SqlPredictionLog(engine),
        tracker=MlflowMirror(settings.mlflow, str((settings.home / "mlflow").resolve())),
        sentiment=LexiconScorer(),
    )
    standing = (f"sample_data_ends_{LAST_SESSION}",) if fixed else ()
    return Wired(ports, standing)


def _sample_clock(calendar: SessionCalendar, last: date) -> FixedClock:
    return FixedClock(calendar.close_of(last))
