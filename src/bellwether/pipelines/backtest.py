"""The walk-forward backtest: train on what was known, forecast the next period, trade it, judge it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl
import uuid_utils

from bellwether.backtest.result import Backtest
from bellwether.core.errors import InsufficientHistory
from bellwether.core.ports import BacktestRow, Ports, Progress, quiet
from bellwether.inference.backtest_asked import BacktestConfig
from bellwether.inference.backtests import PAGE, REPORT
from bellwether.models.factory import BASELINES
from bellwether.pipelines import records
from bellwether.pipelines.backtest_figures import Judged, figured
from bellwether.pipelines.backtest_question import plan_of, question_of, rules_of
from bellwether.pipelines.backtest_readings import luck
from bellwether.pipelines.backtest_sheet import sheet_of
from bellwether.pipelines.backtest_walk import walk_forward
from bellwether.pipelines.market import market_of
from bellwether.pipelines.trades import Desk, accounts
from bellwether.pipelines.trials import PANEL, Study, counted, trial
from bellwether.pipelines.tried import deflation
from bellwether.reports.tearsheet import render
from bellwether.reports.terminal import lines

FORMAT = 3
"""Of the report as it is kept; one of another form is made again."""


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """What a backtest found; `reused` where the same question was answered before."""

    backtest_id: str
    reused: bool
    found: dict[str, Any]

    def lines(self) -> list[str]:
        """Say it in words and one table."""
        again = ["The same question was answered before.", ""] if self.reused else []
        return [*again, *lines(sheet_of(self.found))]

    def page(self) -> str:
        """Return the tear sheet, one self-contained HTML file."""
        return str(render(sheet_of(self.found)))


def run(config: BacktestConfig, ports: Ports, progress: Progress = quiet) -> BacktestReport:
    """Answer a question by walking forward; periods that are done already are not done again.

    Raises
    ------
    UnknownName
        If a symbol, model, universe or strategy does not exist.
    MissingRecord
        If the lake is empty.
    InsufficientHistory
        If no period has enough of a past.
    Unavailable
        If the Dask scheduler cannot be reached.
    """
    question = question_of(config, ports)
    known = ports.ledger.backtests(question.key, limit=1)
    if known:
        found = read(known[0].backtest_id, ports)
        if found is not None:
            return BacktestReport(known[0].backtest_id, True, found)
    started = ports.wall.now()
    walked = walk_forward(config, question, ports, progress)
    judged = Judged(
        model=config.model,
        baselines=BASELINES,
        horizon_sessions=config.horizon_sessions,
        record=walked.record,
        series=walked.data.series,
        folds=walked.folds,
        aged=walked.aged,
        asked=question.told,
        universe=config.universe,
        watermark=question.watermark,
        notes=tuple(r.words() for r in walked.data.refused),
        what_if=config.what_if,
    )
    return concluded(judged, config, question.key, started, ports, progress)


def concluded(
    judged: Judged,
    config: BacktestConfig,
    key: str,
    started: datetime,
    ports: Ports,
    progress: Progress = quiet,
) -> BacktestReport:
    """Trade what was forecast, report on it, and keep the report."""
    progress("Trading", 0, 1)
    desk, notes = desk_of(judged, config, ports)
    models = tuple(dict.fromkeys((judged.model, *judged.baselines)))
    traded = accounts(desk, models)
    judged = replace(judged, notes=(*notes, *judged.notes))
    found = figured(judged, desk, traded, ports)
    progress("Trading", 1, 1)
    digest = result_hash(judged.record, traded)
    found |= _luck(judged, traded[judged.model], found, key, started, ports)
    found["reading"].append(luck(found, judged.model))
    found |= {"format": FORMAT, "result_hash": digest, "started_at": started.isoformat()}
    said = records.of_accounts(judged.record, traded)
    return _kept(found, judged, said, key, started, ports)


def _kept(
    found: dict[str, Any],
    judged: Judged,
    said: records.Judged,
    key: str,
    started: datetime,
    ports: Ports,
) -> BacktestReport:
    """Keep the report, its page and the record, then say in the ledger that they are there."""
    finished = ports.wall.now()
    backtest_id = str(uuid_utils.uuid7())
    found |= {"backtest_id": backtest_id, "seconds": (finished - started).total_seconds()}
    report = BacktestReport(backtest_id, False, found)
    records.keep(backtest_id, said, ports.work)
    ports.work.keep(backtest_id, REPORT, json.dumps(found, default=str).encode())
    ports.work.keep(backtest_id, PAGE, report.page().encode())
    ports.ledger.record_backtest(
        BacktestRow(
            backtest_id,
            key,
            started,
            finished,
            judged.watermark,
            tuple(found["symbols"]),
            json.dumps(judged.asked, sort_keys=True),
            json.dumps(found["summary"], default=str),
            found["result_hash"],
        )
    )
    return report


def _luck(
    judged: Judged, account: Backtest, found: dict[str, Any], key: str, at: datetime, ports: Ports
) -> dict[str, Any]:
    """Count the fit that was scored, once a question, and deflate its Sharpe ratio by all trials.

    Forecasts that were made before their outcomes, and not for this report, are no trial.
    """
    study = Study(key, "backtest", judged.asked, judged.horizon_sessions, judged.watermark, at)
    if not judged.folds:
        told = {"label": study.label, "configurations": counted(study.label, ports)}
        return {"trials": told, "deflated": None}
    returns = pl.DataFrame({"session": account.market.sessions, "net": account.net})
    metrics = found["strategies"][judged.model]["metrics"]
    row = trial(study, judged.model, PANEL, metrics, returns)
    ports.ledger.record_trials([row])
    told, deflated = deflation(row, ports)
    return {"trials": told, "deflated": deflated}


def read(backtest_id: str, ports: Ports) -> dict[str, Any] | None:
    """Return what a backtest found, or None where its report is gone or of another form."""
    raw = ports.work.read(backtest_id, REPORT)
    found: dict[str, Any] | None = None if raw is None else json.loads(raw)
    return found if found is not None and found.get("format") == FORMAT else None


def desk_of(judged: Judged, config: BacktestConfig, ports: Ports) -> tuple[Desk, tuple[str, ...]]:
    """Lay out the market from the first decision to the end of the last forecast."""
    record, series = judged.record, judged.series
    first, last = record["session"].min(), record["session"].max()
    if not isinstance(first, date) or not isinstance(last, date):
        raise InsufficientHistory("backtest", 0, 1)
    newest = max(one["session"][-1] for one in series.values())
    end = min(newest, ports.calendar.shift(last, judged.horizon_sessions + 1))
    names = record["symbol"].unique().sort().to_list()
    traded = market_of(names, series, first, end, judged.watermark, ports)
    plan, rules = plan_of(config), rules_of(config)
    return Desk(record, traded.market, plan, rules, judged.horizon_sessions), traded.notes


def result_hash(record: pl.DataFrame, traded: Mapping[str, Backtest]) -> str:
    """Hash every forecast and every traded session, bit for bit."""
    digest = hashlib.sha256()
    for name in sorted(record.columns):
        if name.startswith(("forecast_", "probability_")):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(record[name].to_numpy(), dtype="<f8").tobytes())
    for name, account in sorted(traded.items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(account.equity, dtype="<f8").tobytes())
    return digest.hexdigest()
