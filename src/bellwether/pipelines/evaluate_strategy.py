"""Trade a strategy of the user's own over the bars in the lake, unless it knows the future."""

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bellwether.backtest.engine import backtest
from bellwether.backtest.guard import backtest_strategy
from bellwether.backtest.market import Market
from bellwether.backtest.result import Backtest
from bellwether.backtest.rules import Rules
from bellwether.backtest.targets import Plan, make_targets
from bellwether.core.asof import as_of
from bellwether.core.errors import BellwetherError, BrokenView, InsufficientHistory
from bellwether.core.ports import Ports, Progress, quiet
from bellwether.features.adjust import adjust_forward
from bellwether.features.history import BAR_KEYS
from bellwether.inference.backtest_asked import BacktestConfig
from bellwether.pipelines import backtest_tables as tables
from bellwether.pipelines import coverage
from bellwether.pipelines.backtest_question import question_of, rules_of
from bellwether.pipelines.backtest_readings import luck, warnings
from bellwether.pipelines.backtest_strategy import account_figures, beside
from bellwether.pipelines.market import Traded, market_of
from bellwether.pipelines.strategy_sheet import sheet_of
from bellwether.pipelines.trades import HELD, MONTH
from bellwether.pipelines.trials import PANEL, Study, trial
from bellwether.pipelines.tried import deflation
from bellwether.pipelines.view_file import load, tell
from bellwether.reports.tearsheet import render
from bellwether.reports.terminal import lines

FEWEST = 60
"""Sessions below which nothing that is said of a strategy means anything."""
FUNCTION = "targets"
Targets = Callable[[Market], Any]


@dataclass(frozen=True, slots=True)
class StrategyReport:
    """What a strategy amounts to; `found` is all of it as JSON."""

    found: dict[str, Any]

    def lines(self) -> list[str]:
        """Say it in words and one table."""
        return list(lines(sheet_of(self.found)))

    def page(self) -> str:
        """Return the tear sheet, one self-contained HTML file."""
        return str(render(sheet_of(self.found)))


def run(
    file: Path, config: BacktestConfig, ports: Ports, progress: Progress = quiet
) -> StrategyReport:
    """Trade what the function `targets` of a file wants, beside an equal-weight book.

    `config` says which symbols and sessions, and how the account trades; what it says of models is
    not read. Each run of another file counts as one more configuration tried.

    Raises
    ------
    BrokenView
        If the file cannot be run, or its function raises; with its own traceback.
    LookAheadFound
        If a past target changes with what comes after it.
    InsufficientHistory
        If there are fewer than 60 sessions.
    """
    question = question_of(config, ports)
    code = file.read_bytes() if file.is_file() else b""
    wants = _function(file)
    traded = market_for(question.symbols, config, ports)
    rules = rules_of(config)
    progress("Looking for look-ahead, trading", 0, 1)
    account = backtest_strategy(_told(wants, file), traded.market, rules)
    progress("Looking for look-ahead, trading", 1, 1)
    read = ("lag_sessions", "without", "capital_usd", "first", "last", "seed", *_DATA)
    asked = {k: v for k, v in question.told.items() if k in read}
    asked |= {"file": file.name, "strategy": hashlib.sha256(code).hexdigest()}
    found = _figures(file.stem, account, _held(traded.market, rules), config.seed)
    found |= {
        "config": asked,
        "symbols": list(traded.market.symbols),
        "watermark": question.watermark.isoformat(),
        "lag_sessions": rules.lag_sessions,
        "switched_off": list(account.switched_off),
        "notes": list(traded.notes),
    }
    years = range(int(found["from"][:4]), int(found["to"][:4]) + 1)
    found["survivorship"] = coverage.note(None, found["symbols"], years, ports)
    found |= _luck(found, account, question.watermark, ports)
    found["reading"] = [_reading(found), luck(found, file.stem)]
    found["warnings"] = warnings(found)
    return StrategyReport(found)


_DATA = ("symbols", "watermark", "last_session", "code")


def _function(file: Path) -> Targets:
    wants = getattr(load(file), FUNCTION, None)
    if not callable(wants):
        raise BrokenView(file.name, f"defines no function {FUNCTION}(market)", "")
    taken = [p for p in inspect.signature(wants).parameters.values() if p.default is p.empty]
    if len(taken) != 1:
        why = f"{FUNCTION} takes {len(taken)} arguments, one needed: the market"
        raise BrokenView(file.name, why, "")
    found: Targets = wants
    return found


def _told(wants: Targets, file: Path) -> Targets:
    """Call the user's function, and show the traceback of its own code where it raises."""

    def call(market: Market) -> Any:
        try:
            return np.asarray(wants(market), dtype=np.float64)
        except BellwetherError:
            raise
        except Exception as error:
            why = f"raises on {len(market.sessions)} sessions"
            raise BrokenView(file.name, why, tell(error, file)) from error

    return call


def market_for(symbols: tuple[str, ...], config: BacktestConfig, ports: Ports) -> Traded:
    """Lay out the sessions that were asked for, as far as there are bars."""
    watermark = ports.lake.watermark()
    bars = ports.lake.bars(list(symbols))
    if watermark is None or bars.height == 0:
        raise InsufficientHistory("strategy", 0, FEWEST)
    known = as_of(bars.filter(pl.col("ingested_at") <= watermark), ports.clock.now(), BAR_KEYS)
    parts = known.sort("symbol", "session").partition_by("symbol", as_dict=True)
    series = {str(key[0]): adjust_forward(one, ports.calendar) for key, one in parts.items()}
    first = min(one["session"][0] for one in series.values())
    last = max(one["session"][-1] for one in series.values())
    days = ports.calendar.between(
        max(first, config.first or date.min), min(last, config.last or last)
    )
    if len(days) < FEWEST:
        raise InsufficientHistory("strategy", len(days), FEWEST)
    return market_of(sorted(series), series, days[0], days[-1], watermark, ports)


def _held(market: Market, rules: Rules) -> Backtest:
    """Hold all names with a price equally, put right once a month."""
    there = np.where(np.isnan(market.close), np.nan, 1.0)
    targets = make_targets(there, Plan("long_only", rebalance_sessions=MONTH))
    return backtest(market, targets, rules, positions=False)


def _figures(name: str, account: Backtest, held: Backtest, seed: int) -> dict[str, Any]:
    """Return what the accounts amount to, by strategy, year and crisis."""
    traded: Mapping[str, Backtest] = {name: account, HELD: held}
    market = beside(held, seed)
    roles = {name: "model", HELD: "benchmark"}
    days = account.market.sessions.astype("datetime64[D]")
    return {
        "name": name,
        "from": str(days[0]),
        "to": str(days[-1]),
        "n_sessions": len(days),
        "n_symbols": len(account.market.symbols),
        "strategies": {n: account_figures(a, roles[n], market) for n, a in traded.items()},
        "years": tables.years(None, traded, name),
        "crises": tables.crises(traded, name),
        "curves": tables.curves(traded),
        "result_hash": hashlib.sha256(account.equity.tobytes()).hexdigest(),
    }


def _luck(
    found: Mapping[str, Any], account: Backtest, watermark: datetime, ports: Ports
) -> dict[str, Any]:
    """Count what was tried, and deflate its Sharpe ratio by all that ever was."""
    asked = found["config"]
    key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    study = Study(key, "strategy", asked, 1, watermark, ports.wall.now())
    returns = pl.DataFrame({"session": account.market.sessions, "net": account.net})
    metrics = found["strategies"][found["name"]]["metrics"]
    row = trial(study, found["name"], PANEL, metrics, returns)
    ports.ledger.record_trials([row])
    tried, deflated = deflation(row, ports)
    return {"trials": tried, "deflated": deflated}


def _reading(found: Mapping[str, Any]) -> str:
    mine, held = (found["strategies"][n]["metrics"] for n in (found["name"], HELD))
    return (
        f"From {found['from']} to {found['to']}, traded at next opens after costs, {found['name']} "
        f"returned {_share(mine['cagr'])} a year with a Sharpe ratio of {_number(mine['sharpe'])}; "
        f"holding all {found['n_symbols']} names equally {_share(held['cagr'])} with "
        f"{_number(held['sharpe'])}. No target before any of the cuts moved with what came after."
    )


def _share(value: float | None) -> str:
    return "nothing defined" if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"
