"""What can be compared, by name: models of training runs, of releases and of backtests."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from bellwether.core.errors import MissingRecord, UnknownName
from bellwether.core.ports import BacktestRow, Ports, ReleaseRow, RunRow
from bellwether.models.factory import BASELINES
from bellwether.pipelines import records
from bellwether.pipelines.records import Judged

SHORTEST = 6
MOST = 1_000_000
ALL = "all"
MARKET = "always_up"
TRADED = {
    "backtest": "one account",
    "run": "equal weight over symbols that are traded each alone",
    "release": "equal weight over symbols that are traded each alone",
}
Row = RunRow | ReleaseRow | BacktestRow


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A run, release or backtest with its record.

    Attributes
    ----------
    kind, source_id : str
        "run", "release" or "backtest", and its id.
    model : str
        The one that it is of.
    horizon : int
        Sessions that its labels span.
    told : dict
        Question that was asked, as JSON.
    judged : Judged
        What was said and earned out of sample.
    outcome : dict
        What a run found; empty of others.
    """

    kind: str
    source_id: str
    model: str
    horizon: int
    told: Mapping[str, Any]
    judged: Judged
    outcome: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """One model of a source, under the name that a comparison shows."""

    name: str
    model: str
    source: Source

    @property
    def role(self) -> str:
        """Say whether it is a model or a baseline."""
        return "baseline" if self.model in BASELINES else "model"


def subjects(named: Sequence[str], ports: Ports) -> list[Subject]:
    """Find what is to be compared, each once, in the order it was named.

    `named` are ids of runs, releases and backtests, or six letters of them, each with `:MODEL` where
    another than its own model is meant, or `:all`.

    Raises
    ------
    UnknownName
        If there is no such thing or model, or several begin like that.
    MissingRecord
        If it has no out-of-sample record, or it is not kept any more.
    """
    known = _known(ports)
    found: dict[tuple[str, str], Source] = {}
    sources: dict[str, Source] = {}
    for text in named:
        prefix, _, model = text.strip().partition(":")
        row = _row(prefix, known)
        name = _id(row)
        source = sources.setdefault(name, sources.get(name) or _source(row, ports))
        for one in _models(source, model):
            found.setdefault((name, one), source)
    often = [model for _, model in found]
    return [
        Subject(m if often.count(m) == 1 else f"{m} {name[:8]}{_twin(name, found)}", m, source)
        for (name, m), source in found.items()
    ]


def _twin(name: str, found: Mapping[tuple[str, str], Source]) -> str:
    """Return more of an id where others share its first eight letters."""
    alike = {other for other, _ in found if other != name and other[:8] == name[:8]}
    return f"..{name[-6:]}" if alike else ""


def _models(source: Source, asked: str) -> tuple[str, ...]:
    """Return the models that are meant by what stood after the colon."""
    there = source.judged.models
    if asked == ALL:
        return (source.model, *(m for m in there if m != source.model))
    model = asked or source.model
    if model not in there:
        raise UnknownName(f"model in the {source.kind} {source.source_id}", model, there)
    return (model,)


def _known(ports: Ports) -> dict[str, Row]:
    rows: list[Row] = [*ports.ledger.runs(), *ports.ledger.releases()]
    rows += ports.ledger.backtests(limit=MOST)
    return {_id(row): row for row in rows}


def _id(row: Row) -> str:
    if isinstance(row, RunRow):
        return row.run_id
    return row.release_id if isinstance(row, ReleaseRow) else row.backtest_id


def _row(prefix: str, known: Mapping[str, Row]) -> Row:
    if prefix in known:
        return known[prefix]
    like = [name for name in known if len(prefix) >= SHORTEST and name.startswith(prefix)]
    if len(like) == 1:
        return known[like[0]]
    what = "run, release or backtest"
    if like:
        raise UnknownName(what, prefix, like, "Several begin like that.")
    raise UnknownName(what, prefix, list(known), "Train or backtest makes one.")


def _source(row: Row, ports: Ports) -> Source:
    if isinstance(row, RunRow):
        return _of_run(row, ports)
    if isinstance(row, ReleaseRow):
        return _of_release(row, ports)
    told = json.loads(row.config)
    judged = records.read(row.backtest_id, ports.work)
    if judged is None:
        raise MissingRecord("record", f"the backtest {row.backtest_id}", "bellwether backtest")
    horizon = int(told.get("horizon_sessions", 1))
    model = str(json.loads(row.summary)["model"])
    return Source("backtest", row.backtest_id, model, horizon, told, judged, {})


def _of_run(row: RunRow, ports: Ports) -> Source:
    told, outcome = json.loads(row.config), json.loads(row.outcome)
    judged = records.read(row.run_id, ports.work)
    if judged is None:
        raise MissingRecord("record", f"the run {row.run_id}", "bellwether train")
    model, horizon = str(outcome["model"]), int(told["horizon_sessions"])
    return Source("run", row.run_id, model, horizon, told, judged, outcome)


def _of_release(row: ReleaseRow, ports: Ports) -> Source:
    found = release_source(row, ports)
    if found is None:
        raise MissingRecord("record", f"the release {row.release_id}", "bellwether train")
    return found


def release_source(row: ReleaseRow, ports: Ports) -> Source | None:
    """Return a release with its record; None where it was packed without one.

    Raises
    ------
    UnloadableArtifact
        If its files are not those that were packed.
    """
    files = ports.releases.load(row.release_id)
    raw = files.files.get("walkforward.parquet")
    if raw is None:
        return None
    record = pl.read_parquet(io.BytesIO(raw)).sort("decision_at", "symbol")
    names = [c.removeprefix("forecast_") for c in record.columns if c.startswith("forecast_")]
    judged = records.of_walk(record, names, MARKET)
    told = dict(files.manifest["question"])  # type: ignore[call-overload]
    return Source("release", row.release_id, row.model, row.horizon_sessions, told, judged, {})
