"""Compute the features of every symbol and keep them, so that serving only looks them up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from bellwether.core.asof import as_of
from bellwether.core.errors import MissingRecord, Unavailable, UnknownName
from bellwether.core.ports import MaterialisationRow, Ports, Progress, quiet
from bellwether.core.types import FeatureVector
from bellwether.features.adjust import adjust_forward
from bellwether.features.catalog import FeatureView, Kind, technical
from bellwether.features.history import BAR_KEYS, as_known
from bellwether.features.needs import Refusal
from bellwether.features.panel import compute
from bellwether.pipelines.basis import refused_in, refused_vectors
from bellwether.pipelines.build import keep, known_states
from bellwether.telemetry import MATERIALISE_SECONDS, MATERIALISED_ROWS


@dataclass(frozen=True, slots=True)
class MaterialiseReport:
    """What one build computed; `rows` is 0 where this state was materialised before."""

    view: str
    watermark: datetime
    symbols: tuple[str, ...]
    rows: int
    features: int
    notes: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()

    def lines(self) -> list[str]:
        """Say it in words."""
        if self.rows == 0:
            head = f"Features are up to date ({self.view}, {len(self.symbols)} symbols)."
        else:
            head = (
                f"Computed {self.features} features of {len(self.symbols)} symbols over "
                f"{self.rows:,} sessions ({self.view})."
            )
        return [head, *(r.words() for r in self.refused), *self.notes]


@MATERIALISE_SECONDS.time()
def run(ports: Ports, progress: Progress = quiet) -> MaterialiseReport:
    """Bring the feature store to the lake's newest watermark.

    Raises
    ------
    MissingRecord
        If the lake holds no bars.
    """
    watermark = ports.lake.watermark()
    if watermark is None:
        raise MissingRecord("bar", "any symbol", "bellwether ingest sample")
    view = technical()
    symbols = ports.lake.symbols()
    newest = ports.ledger.newest_materialisation(view.version)
    if newest is not None and newest.watermark >= watermark:
        return _report(ports, view, watermark, symbols, 0)
    series = known_states(symbols, watermark, ports, progress)
    frame = compute(view, series, ports.calendar)
    MATERIALISED_ROWS.inc(keep(view, view.version, frame, watermark, ports))
    ports.ledger.record_materialisation(
        MaterialisationRow(view.version, watermark, ports.wall.now(), len(symbols), frame.height)
    )
    return _report(ports, view, watermark, symbols, frame.height)


def _report(
    ports: Ports, view: FeatureView, watermark: datetime, symbols: Sequence[str], rows: int
) -> MaterialiseReport:
    vectors = ports.features.latest(view.version, watermark)
    return MaterialiseReport(
        view.version,
        watermark,
        tuple(symbols),
        rows,
        len(view.features),
        _give(ports, vectors),
        refused_vectors(view, vectors),
    )


def _give(ports: Ports, vectors: list[FeatureVector]) -> tuple[str, ...]:
    """Hand the newest vectors to the online store; servers do it later where it is away now."""
    try:
        ports.online.put(vectors)
    except Unavailable as error:
        return (f"The online store does not have them yet ({error}); servers will see to it.",)
    return ()


def features_of(symbol: str, view: FeatureView, watermark: datetime, ports: Ports) -> pl.DataFrame:
    """Compute one symbol's features over its whole history, each row as known when decided."""
    bars = ports.lake.bars([symbol]).filter(pl.col("ingested_at") <= watermark)
    return as_known(view, bars, ports.calendar, ports.clock.now())


def newest(symbol: str, ports: Ports) -> dict[str, object]:
    """Return a symbol's newest features by name; levels on the raw scale of their session.

    None where its bars arrived adjusted and cannot tell it; `refused` says why.

    Raises
    ------
    UnknownName
        If the symbol has no bars.
    """
    watermark = ports.lake.watermark()
    known = ports.lake.symbols()
    if watermark is None or symbol not in known:
        raise UnknownName("symbol", symbol, known, "Ingest its bars first.")
    view = technical()
    row = features_of(symbol, view, watermark, ports).row(-1, named=True)
    now = ports.clock.now()
    series = adjust_forward(as_of(ports.lake.bars([symbol]), now, BAR_KEYS), ports.calendar)
    scale = {
        Kind.PRICE_LEVEL: series["price_factor"][-1],
        Kind.VOLUME_LEVEL: series["volume_factor"][-1],
        Kind.MODEL: 1.0,
    }
    told = series["adjustment"][-1]
    lost = {view.columns[i] for i in view.refused[told]}
    values = {
        f.name: None if f.name in lost else row[f.name] / scale[f.kind] for f in view.features
    }
    found = {"symbol": symbol, "session": row["session"], "last_close": row["last_close"], **values}
    why = refused_in(view, {symbol: told})
    return found | ({"refused": [r.words() for r in why]} if why else {})
