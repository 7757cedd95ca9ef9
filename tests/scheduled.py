"""A platform with a release and data up to a day, and what the schedule then makes of it."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date

import polars as pl

from bellwether.bootstrap import bootstrap
from bellwether.core.ports import Ports, RunRow, SourceQuery
from bellwether.core.types import ReleaseFiles
from bellwether.pipelines import ingest, materialize, train
from bellwether.settings import Settings

SYMBOLS = ("AAPL", "IBM")
KNOWN_UNTIL = date(2013, 2, 22)
SESSIONS = [date(2013, 2, day) for day in (25, 26, 27, 28)] + [date(2013, 3, 1)]
VARYING = ("recorded_at", "watermark")
"""What is of the run and not of the session."""


class Untold:
    """A tracker that is told nothing: loading the real one takes longer than all the rest."""

    remote = False

    def ping(self) -> None:
        """Answer."""

    def mirror(self, run: RunRow, releases: Sequence[ReleaseFiles]) -> None:
        """Push nothing."""


def prepare(settings: Settings) -> None:
    """Ingest two symbols up to a day, and train."""
    wired = bootstrap(settings)
    query = SourceQuery(symbols=SYMBOLS, last=KNOWN_UNTIL)
    ingest.run(ingest.IngestConfig("sample", query), wired.ports)
    materialize.run(wired.ports)
    asked = train.TrainConfig(
        symbols=SYMBOLS, model="linear", against=(), each=False, test_sessions=2000
    )
    train.run(asked, replace(wired.ports, tracker=Untold()))
    wired.close()


def predictions(ports: Ports) -> dict[str, dict[str, object]]:
    """Return the stored predictions by id, without what differs from run to run."""
    found = {p.prediction_id: asdict(p) for p in ports.log.recent(10_000)}
    return {name: {k: v for k, v in row.items() if k not in VARYING} for name, row in found.items()}


def lake(ports: Ports) -> pl.DataFrame:
    """Return every revision in the lake, without the time it came in."""
    return ports.lake.bars().drop("ingested_at")
