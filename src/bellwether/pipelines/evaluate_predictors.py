"""Score the predictors in a file against the mean that prevailed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bellwether.core.errors import InvalidRequest, StorageError
from bellwether.evaluation.plan import Plan
from bellwether.evaluation.predictors import Evaluation, Score, evaluate
from bellwether.pipelines.frames import Table, read_table
from bellwether.pipelines.periods import period, row_from

Floats = NDArray[np.float64]
Json = dict[str, object]

KITCHEN_SINK = "kitchen_sink"
CHANCE = 0.05
HEAD = "    n  IS R2adj    OOS R2  OOS R2adj    dRMSE    CW t    CW p"
OPTIONS = {
    "first": "--first-forecast",
    "window": "--window",
    "restrict": "--restrict",
    "combine": "--combine",
    "horizon": "--horizon",
    "lags": "--hac-lags",
    "mean": "--mean",
    "min_rows": "--min-rows",
}


@dataclass(frozen=True, slots=True)
class PredictorsConfig:
    """The file, its columns and how to forecast; `plan.first` is found from `first_forecast`.

    `kitchen_sink` adds one regression on all predictors at once. `forecasts` is a file to write
    every forecast to, .csv or .parquet.
    """

    frame: Path
    date: str
    target: str
    predictors: tuple[str, ...]
    first_forecast: str
    plan: Plan
    kitchen_sink: bool = False
    forecasts: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PredictorsReport:
    """Scores with the dates as the file writes them."""

    labels: tuple[str, ...]
    found: Evaluation
    kitchen_sink: Score | None
    detail: bool = False

    def as_json(self) -> Json:
        """Return fractions under the names of the command's contract."""
        told: Json = {
            "n": self.found.n,
            "first": self.labels[self.found.first],
            "last": self.labels[self.found.last],
            "predictors": {name: self._told(s) for name, s in self.found.scores.items()},
            "combination": self.found.combination and self._told(self.found.combination),
        }
        if self.kitchen_sink is not None:
            told[KITCHEN_SINK] = self._told(self.kitchen_sink)
        return told

    def _told(self, score: Score) -> Json:
        told: Json = {
            "r2_is_adj": score.r2_is_adj,
            "r2_oos": score.r2_oos,
            "r2_oos_adj": score.r2_oos_adj,
            "rmse_delta": score.rmse_delta,
            "clark_west_t": score.nested.t,
            "clark_west_p": score.nested.p,
        }
        own = (score.first, score.last) != (self.found.first, self.found.last)
        if own or self.detail:
            first, last = self.labels[score.first], self.labels[score.last]
            told |= {"n": score.n, "first": first, "last": last}
        if self.detail:
            told |= {
                "rows": score.rows or None,
                "r2_is": score.r2_is,
                "rmse": score.rmse,
                "rmse_mean": score.rmse_mean,
                "mse_f": score.nested.mse_f,
                "enc_new": score.nested.enc_new,
            }
        return told

    def lines(self) -> list[str]:
        """Say it in words: R2 and RMSE in percent."""
        n, first, last = self.found.n, self.labels[self.found.first], self.labels[self.found.last]
        rows = dict(self.found.scores)
        if self.found.combination is not None:
            rows["(combination)"] = self.found.combination
        if self.kitchen_sink is not None:
            rows["(kitchen sink)"] = self.kitchen_sink
        width = max(9, *(len(name) for name in rows))
        told = [
            f"{n} forecasts, {first} to {last}, against the prevailing mean. R2 and RMSE in percent.",
            "",
            f"{'predictor':<{width}}  {HEAD}",
        ]
        told += [f"{name:<{width}}  {self._line(score)}" for name, score in rows.items()]
        return [*told, "", self._reading()]

    def _line(self, s: Score) -> str:
        line = (
            f"{s.n:>5}  {_percent(s.r2_is_adj):>8}  {_percent(s.r2_oos):>8}  "
            f"{_percent(s.r2_oos_adj):>9}  {_percent(s.rmse_delta):>7}  "
            f"{_plain(s.nested.t, 2):>6}  {_plain(s.nested.p, 3):>6}"
        )
        own = (s.first, s.last) != (self.found.first, self.found.last)
        return line + f"  ({self.labels[s.first]} to {self.labels[s.last]})" * own

    def _reading(self) -> str:
        scores = list(self.found.scores.values())
        beat = sum(s.r2_oos is not None and s.r2_oos > 0 for s in scores)
        passed = sum(s.nested.p is not None and s.nested.p < CHANCE for s in scores)
        return (
            f"{beat} of {len(scores)} beat the prevailing mean; {passed} pass Clark-West at 5%, "
            f"where {CHANCE * len(scores):.1f} would by chance alone."
        )


def run(config: PredictorsConfig, *, detail: bool = False) -> PredictorsReport:
    """Read, forecast and score; write the forecasts where a file is named.

    Raises
    ------
    UnreadableFile, UnknownName, InvalidRequest
        If the file, a column or an option cannot be used; an option is named as on the command
        line.
    StorageError
        If the forecasts cannot be written.
    """
    _check(config)
    table = read_table(config.frame, config.date, (config.target, *config.predictors))
    y = table.columns[config.target]
    plan = replace(config.plan, first=_first(config.first_forecast, table, y))
    alone = {name: table.columns[name] for name in config.predictors}
    try:
        found = evaluate(y, alone, plan)
        sink = _all_at_once(y, alone, plan) if config.kitchen_sink else None
    except InvalidRequest as error:
        raise InvalidRequest(OPTIONS.get(error.field, error.field), error.why) from error
    if config.forecasts is not None:
        _write(config.forecasts, config, table, found)
    return PredictorsReport(table.labels, found, sink, detail=detail)


def _all_at_once(y: Floats, alone: Mapping[str, Floats], plan: Plan) -> Score:
    X = np.column_stack(list(alone.values()))
    return evaluate(y, {KITCHEN_SINK: X}, replace(plan, combine="none")).scores[KITCHEN_SINK]


def _first(text: str, table: Table, y: Floats) -> int:
    there = np.flatnonzero(~np.isnan(y))
    begin, end = int(there[0]), int(there[-1])
    row = row_from(OPTIONS["first"], text, table.rows)
    known = f"the target is known from {table.labels[begin]} to {table.labels[end]}"
    if row > end:
        raise InvalidRequest(OPTIONS["first"], f"{text} comes after the data: {known}")
    wanted = period(text)
    if wanted is not None and wanted.last < table.rows[begin].first:
        raise InvalidRequest(OPTIONS["first"], f"{text} comes before the data: {known}")
    return max(row, begin)


def _check(config: PredictorsConfig) -> None:
    names = config.predictors
    if not names:
        raise InvalidRequest("--predictors", "names no column")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidRequest("--predictors", f"names {twice[0]!r} twice")
    if config.target in names:
        raise InvalidRequest("--predictors", f"{config.target!r} is the target itself")
    if config.date in (config.target, *names):
        raise InvalidRequest("--date", f"{config.date!r} is also the target or a predictor")
    if config.kitchen_sink and config.plan.restrict.startswith(("sign", "both")):
        raise InvalidRequest("--kitchen-sink", "has several slopes; a sign restriction is of one")
    if config.forecasts is not None:
        _writable(config.forecasts)


def _writable(path: Path) -> None:
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise InvalidRequest("--forecasts", f"{path} must end in .csv or .parquet")
    if not path.parent.is_dir():
        raise InvalidRequest("--forecasts", f"the folder {path.parent} does not exist")


def _write(path: Path, config: PredictorsConfig, table: Table, found: Evaluation) -> None:
    """Write date, target and each forecast beside its benchmark; whole or not at all."""
    columns: dict[str, object] = {config.date: table.labels}
    columns[config.target] = table.columns[config.target]
    for name, forecast in found.forecasts.items():
        columns |= {f"{name}_forecast": forecast, f"{name}_mean": found.means[name]}
    frame = pl.DataFrame(columns)[found.first : found.last + 1].fill_nan(None)
    partial = path.with_name(f".{path.name}.partial")
    try:
        if path.suffix.lower() == ".csv":
            frame.write_csv(partial)
        else:
            frame.write_parquet(partial)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StorageError(str(path), error.strerror or "cannot be written") from error


def _percent(value: float | None) -> str:
    return _plain(None if value is None else 100 * value, 2)


def _plain(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
