"""Compute the features of every symbol and keep them, so that serving only looks them up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from bellwether.core.asof import as_of
from bellwether.core.errors import InvalidRequest, MissingRecord, Unavailable, UnknownName
from bellwether.core.ports import MaterialisationRow, Ports, Progress, quiet
from bellwether.core.types import FeatureVector
from bellwether.features.adjust import adjust_forward
from bellwether.features.catalog import Kind
from bellwether.features.history import BAR_KEYS
from bellwether.features.needs import Refusal
from bellwether.features.panel import compute
from bellwether.features.views import DEFAULT, Kept
from bellwether.inference.texts import read_view
from bellwether.pipelines.basis import refused_in, refused_vectors
from bellwether.pipelines.build import keep
from bellwether.pipelines.sections import (
    States,
    known_states,
    newest_state,
    of_symbol,
    own,
    section_of,
)
from bellwether.pipelines.views_read import views_read
from bellwether.telemetry import MATERIALISE_SECONDS, MATERIALISED_ROWS

features_of = own


@dataclass(frozen=True, slots=True)
class MaterialiseReport:
    """What was computed of one view; `rows` is 0 where this state was materialised before.

    `others` are the reports of the other views that releases read.
    """

    view: str
    watermark: datetime
    symbols: tuple[str, ...]
    rows: int
    features: int
    notes: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()
    others: tuple["MaterialiseReport", ...] = ()

    def lines(self) -> list[str]:
        """Say it in words."""
        if self.rows == 0:
            head = f"Features are up to date ({self.view}, {len(self.symbols)} symbols)."
        else:
            head = (
                f"Computed {self.features} features of {len(self.symbols)} symbols over "
                f"{self.rows:,} sessions ({self.view})."
            )
        own = [head, *(r.words() for r in self.refused), *self.notes]
        return own + [line for other in self.others for line in other.lines()]


@MATERIALISE_SECONDS.time()
def run(ports: Ports, progress: Progress = quiet) -> MaterialiseReport:
    """Bring every view that releases read, and `technical`, to the lake's newest watermark.

    Raises
    ------
    MissingRecord
        If the lake holds no bars.
    """
    wanted = views_read(ports)
    states = newest_state(wanted, ports)
    if states is None:
        raise MissingRecord("bar", "any symbol", "bellwether ingest sample")
    marks = dict(zip((k.name for k in wanted), states, strict=True))
    symbols = ports.lake.symbols()
    newest = {k.name: ports.ledger.newest_materialisation(k.name) for k in wanted}
    late = [k for k in wanted if (n := newest[k.name]) is None or n.watermark < marks[k.name]]
    computed = dict.fromkeys(marks, 0)
    for kept, frame in _frames(late, symbols, max(states), ports, progress):
        mark, name = marks[kept.name], kept.name
        MATERIALISED_ROWS.inc(keep(kept.view, name, frame, mark, ports))
        ports.ledger.record_materialisation(
            MaterialisationRow(name, mark, ports.wall.now(), len(symbols), frame.height)
        )
        computed[name] = frame.height
    usual, *others = (_report(ports, k, marks[k.name], symbols, computed[k.name]) for k in wanted)
    return replace(usual, others=tuple(others))


def _frames(
    late: Sequence[Kept], symbols: Sequence[str], watermark: datetime, ports: Ports,
    progress: Progress,
) -> Iterator[tuple[Kept, pl.DataFrame]]:  # fmt: skip
    """Compute views, the largest first; one that is part of a larger one is taken from it."""
    if not late:
        return
    series = known_states(symbols, watermark, ports, progress, [k.view for k in late])
    left = sorted(late, key=lambda k: -len(k.view.features))
    while left:
        largest = left[0]
        frame = _computed(largest, series, watermark, ports)
        for kept in [k for k in left if _within(k, largest)]:
            yield kept, frame.select(*BAR_KEYS, "last_close", *kept.view.columns)
        left = [k for k in left if not _within(k, largest)]


def _computed(kept: Kept, series: States, watermark: datetime, ports: Ports) -> pl.DataFrame:
    section = section_of(kept, series, watermark, ports)
    return compute(kept.view, series, ports.calendar, section)


def _within(part: Kept, whole: Kept) -> bool:
    same = not part.view.across or part.universe == whole.universe
    return same and set(part.view.columns) <= set(whole.view.columns)


def _report(
    ports: Ports, kept: Kept, watermark: datetime, symbols: Sequence[str], rows: int
) -> MaterialiseReport:
    view, vectors = kept.view, ports.features.latest(kept.name, watermark)
    return MaterialiseReport(
        kept.name,
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


def newest(
    symbol: str, ports: Ports, name: str = DEFAULT, universe: str | None = None
) -> dict[str, object]:
    """Return a symbol's newest features of a view by name; levels on the raw scale of their session.

    None where its bars arrived adjusted and cannot tell it (`refused` says why), and where it is
    not in the section that the view looks across.

    Raises
    ------
    UnknownName
        If the symbol has no bars, or there is no such view or universe.
    InvalidRequest
        If a universe is given to a view that does not look across symbols.
    """
    view = read_view(name, ports)
    states, known = newest_state([Kept(view, universe)], ports), ports.lake.symbols()
    if states is None or symbol not in known:
        raise UnknownName("symbol", symbol, known, "Ingest its bars first.")
    if universe is not None and not view.across:
        raise InvalidRequest("universe", f"the view {view.name} does not look across symbols")
    row = of_symbol(symbol, Kept(view, universe), states[0], ports).row(-1, named=True)
    now = ports.clock.now()
    series = adjust_forward(as_of(ports.lake.bars([symbol]), now, BAR_KEYS), ports.calendar)
    scale = {
        Kind.PRICE_LEVEL: series["price_factor"][-1],
        Kind.VOLUME_LEVEL: series["volume_factor"][-1],
        Kind.MODEL: 1.0,
    }
    told = series["adjustment"][-1]
    values = {
        f.name: row[f.name] / scale[f.kind] if row[f.name] == row[f.name] else None
        for f in view.features
    }
    found = {"symbol": symbol, "session": row["session"], "last_close": row["last_close"], **values}
    why = refused_in(view, {symbol: told})
    return found | ({"refused": [r.words() for r in why]} if why else {})
