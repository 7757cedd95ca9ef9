"""Build a view over the whole lake and keep it, with a sketch of its values and its formulas."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from bellwether.core.errors import InvalidRequest, MissingRecord
from bellwether.core.ports import FeatureBuild, MaterialisationRow, Ports, Progress, quiet
from bellwether.features.feature import FeatureView
from bellwether.features.panel import compute
from bellwether.features.sketch import sketched
from bellwether.features.views import Kept
from bellwether.inference.texts import read_view
from bellwether.pipelines.pack import arrays
from bellwether.pipelines.sections import known_states, newest_state, section_of


@dataclass(frozen=True, slots=True)
class BuildConfig:
    """Which view is built; a universe matters to views across symbols alone."""

    view: str
    universe: str | None = None


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What was built; `rows` is 0 where this state was built before."""

    view: str
    watermark: datetime
    symbols: int
    rows: int
    features: int

    def lines(self) -> list[str]:
        """Say it in words."""
        if self.rows == 0:
            return [f"The view is built ({self.view}, {self.symbols} symbols)."]
        head = (
            f"Built {self.features} features of {self.symbols} symbols over {self.rows:,} sessions"
        )
        return [f"{head} ({self.view})."]


def run(config: BuildConfig, ports: Ports, progress: Progress = quiet) -> BuildReport:
    """Build a view at the lake's newest watermark.

    Raises
    ------
    UnknownName
        If there is no such view or universe.
    MissingRecord
        If the lake holds no bars.
    InvalidRequest
        If a universe is given to a view that does not look across symbols.
    """
    view = read_view(config.view, ports)
    if not view.across and config.universe:
        raise InvalidRequest("universe", f"the view {view.name} does not look across symbols")
    read = Kept(view, config.universe)
    states = newest_state([read], ports)
    if states is None:
        raise MissingRecord("bar", "any symbol", "bellwether ingest sample")
    (watermark,) = states
    symbols = ports.lake.symbols()
    name = read.name
    known = ports.ledger.newest_materialisation(name)
    if known is not None and known.watermark >= watermark:
        return BuildReport(name, watermark, len(symbols), 0, len(view.features))
    series = known_states(symbols, watermark, ports, progress, (view,))
    section = section_of(read, series, watermark, ports)
    frame = compute(view, series, ports.calendar, section)
    rows = keep(view, name, frame, watermark, ports)
    row = MaterialisationRow(name, watermark, ports.wall.now(), len(symbols), frame.height)
    ports.ledger.record_materialisation(row)
    return BuildReport(name, watermark, len(symbols), rows, len(view.features))


def keep(
    view: FeatureView, name: str, frame: pl.DataFrame, watermark: datetime, ports: Ports
) -> int:
    """Store a build with its sketch and formulas; return the rows that were new."""
    rows = ports.features.write(frame, name, watermark)
    sketch = sketched(view.columns, frame.select(view.columns).to_numpy())
    formulas = {f.name: str(f.expression) for f in view.features}
    ports.features.note(FeatureBuild(name, watermark, formulas, arrays(sketch.arrays())))
    return rows
