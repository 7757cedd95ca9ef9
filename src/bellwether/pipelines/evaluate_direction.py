"""Train on the past of a date and call the direction after it, with and without texts."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bellwether.core.errors import InsufficientHistory, InvalidRequest, MissingRecord, UnknownName
from bellwether.core.ports import Ports, Progress, quiet
from bellwether.evaluation.calls import Called, called, outcalled
from bellwether.features.feature import FeatureView
from bellwether.features.views import Kept, view
from bellwether.inference.texts import read_view
from bellwether.models.factory import MODELS, make
from bellwether.models.packed import PackedModel
from bellwether.pipelines.direction_rows import CONTRARY, rows_of
from bellwether.pipelines.sections import newest_state
from bellwether.pipelines.trials import Study, trial

Json = dict[str, object]
TEXT = "text"


@dataclass(frozen=True, slots=True)
class DirectionConfig:
    """Which days are trained on and which are called; both ends belong to a stretch.

    A day is the one whose close ends the label; the call is made at the close `horizon` sessions
    before. `down` and `up` are fractions: a return of at most `down` counts as down, one above `up`
    as up, what lies between is left out of training and test. Without `train_last` training goes on
    until the first test day.
    """

    train_first: date
    test_first: date
    test_last: date
    train_last: date | None = None
    symbols: tuple[str, ...] | None = None
    view: str = "technical+section+text"
    models: tuple[str, ...] = ("linear", "random_forest")
    down: float = 0.0
    up: float = 0.0
    horizon: int = 1
    seed: int = 0


@dataclass(frozen=True, slots=True)
class DirectionReport:
    """Who called how well on the same rows; `gains` are what texts add to each model."""

    view: str
    trained: int
    symbols: int
    texts: int
    share_up: float
    callers: dict[str, Called]
    gains: dict[str, Called]
    written_about: dict[str, Called]

    def as_json(self) -> Json:
        """Return all numbers, as fractions."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Say it in words."""
        one = next(iter(self.callers.values()))
        head = (
            f"{one.n:,} rows on {one.dates} days, {100 * self.share_up:.1f} % of them up; trained on "
            f"{self.trained:,} rows of {self.symbols} symbols and {self.texts:,} texts ({self.view})."
        )
        width = max(map(len, (*self.callers, *self.gains, *self.written_about)))
        told = [head, "", f"{'':<{width}}  {'accuracy':>8}  {'95 % by date':^16}  {'MCC':>7}  {'95 % by date':^18}"]  # fmt: skip
        told += [_line(name, found, width) for name, found in self.callers.items()]
        if self.gains:
            told += ["", "With texts less without:"]
            told += [_line(name, found, width, "+") for name, found in self.gains.items()]
        if self.written_about:
            about = next(iter(self.written_about.values()))
            told += ["", f"On the {about.n:,} rows with a text since the close before:"]
            told += [_line(name, found, width) for name, found in self.written_about.items()]
        return told


def run(config: DirectionConfig, ports: Ports, progress: Progress = quiet) -> DirectionReport:
    """Fit each model once on what was known before the first test day, and score its calls.

    Raises
    ------
    InvalidRequest
        If days are out of order, or thresholds or the horizon make no sense.
    UnknownName
        If there is no such view, model or symbol.
    MissingRecord
        If the lake holds no bars.
    InsufficientHistory
        If a stretch holds no row of each direction.
    """
    _check(config)
    chosen = read_view(config.view, ports)
    states = newest_state([Kept(chosen)], ports)
    if states is None:
        raise MissingRecord("bar", "any symbol", "bellwether ingest files --path prices.csv")
    symbols = _symbols(config, ports)
    rows = rows_of(symbols, chosen, config.horizon, states[0], ports, progress)
    rows = rows.filter((pl.col("move") <= config.down) | (pl.col("move") > config.up))
    train, test = _train(rows, config), _test(rows, config)
    for stretch, part in (("training", train), ("test", test)):
        if part.filter(pl.col("move") > 0).height in {0, part.height}:
            raise InsufficientHistory(f"Days of {stretch}", part.height, 2)
    progress("Fitting", 0, 1)
    said = _said(train, test, chosen, config)
    progress("Fitting", 1, 1)
    report = _report(config, chosen, train, test, said)
    _count(report, config, symbols, states[0], ports)
    return report


def _count(
    report: DirectionReport,
    config: DirectionConfig,
    symbols: Sequence[str],
    watermark: datetime,
    ports: Ports,
) -> None:
    """Put every fit into the trial ledger, under the label that it called."""
    asked = {k: v if v is None else str(v) for k, v in asdict(config).items() if k != "models"}
    question: Json = asked | {
        "view": report.view,
        "symbols": list(symbols),
        "watermark": str(watermark),
    }
    named = json.dumps(question, sort_keys=True, default=str)
    study_id = hashlib.sha256(named.encode()).hexdigest()[:32]
    study = Study(study_id, "direction", question, config.horizon, watermark, ports.wall.now())
    label = f"close_to_close h={config.horizon} beyond {config.down:g} to {config.up:g}"
    rows = [
        replace(trial(study, name, "panel", asdict(found), None), label=label)
        for name, found in report.callers.items()
        if name.partition(",")[0] in config.models
    ]
    ports.ledger.record_trials(rows)


def _check(config: DirectionConfig) -> None:
    if not config.train_first < config.test_first <= config.test_last:
        raise InvalidRequest("--train-from, --test-from, --test-to", "are not in the order of time")
    if config.train_last is not None and not config.train_first <= config.train_last < config.test_first:  # fmt: skip
        raise InvalidRequest("--train-to", "does not lie between --train-from and --test-from")
    if not -1 < config.down <= config.up < 1:
        raise InvalidRequest("--dead-band", f"{config.down:g} to {config.up:g} is no range of returns")  # fmt: skip
    unknown = [m for m in config.models if m not in MODELS]
    if unknown or not config.models:
        raise UnknownName("model", ", ".join(unknown), MODELS)


def _symbols(config: DirectionConfig, ports: Ports) -> tuple[str, ...]:
    known = ports.lake.symbols()
    for symbol in config.symbols or ():
        if symbol not in known:
            raise UnknownName("symbol", symbol, known, "Ingest its bars first.")
    return config.symbols or tuple(known)


def _train(rows: pl.DataFrame, config: DirectionConfig) -> pl.DataFrame:
    """Keep the rows whose label was known when the first test row was decided, and no later."""
    last = config.train_last or config.test_first
    kept = rows.filter(pl.col("day") >= config.train_first, pl.col("day") <= last)
    decided = _test(rows, config)["decision_at"].min()
    before: datetime | None = decided if isinstance(decided, datetime) else None
    return kept.filter(pl.col("label_known_at") <= before) if before else kept.clear()


def _test(rows: pl.DataFrame, config: DirectionConfig) -> pl.DataFrame:
    return rows.filter(pl.col("day").is_between(config.test_first, config.test_last))


def _said(
    train: pl.DataFrame, test: pl.DataFrame, chosen: FeatureView, config: DirectionConfig
) -> dict[str, NDArray[np.bool_]]:
    """Return the calls of everybody on the test rows: true is up."""
    said = {
        "always up": np.ones(test.height, dtype=bool),
        f"contrarian, {CONTRARY} sessions": (test["past"] <= 0).to_numpy(),
    }
    for model in config.models:
        for name, columns in _columns(chosen, model).items():
            X, y = _matrix(train, columns), train["log_return"].to_numpy()
            times = train.select("decision_at", "label_known_at").select(pl.all().dt.replace_time_zone(None)).to_numpy()  # fmt: skip
            fitted = make(model, columns, seed=config.seed).fit(X, y, times=times)
            packed = PackedModel(fitted.pack())
            said[name] = packed.predict(_matrix(test, columns)).probability_up > 0.5  # noqa: PLR2004
    return said


def _columns(chosen: FeatureView, model: str) -> dict[str, tuple[str, ...]]:
    """Name what a model reads: all of the view, and all but texts and texts alone where it has both."""
    everything = chosen.model_columns
    texts = tuple(n for n in everything if n in view(TEXT).columns)
    rest = tuple(n for n in everything if n not in texts)
    if not texts or not rest:
        return {model: everything}
    return {_without(model): rest, f"{model}, texts alone": texts, _with(model): everything}


def _with(model: str) -> str:
    return f"{model}, with texts"


def _without(model: str) -> str:
    return f"{model}, without texts"


def _matrix(rows: pl.DataFrame, columns: Sequence[str]) -> NDArray[np.float32]:
    return np.ascontiguousarray(rows.select(columns).to_numpy(), dtype=np.float32)


def _report(
    config: DirectionConfig,
    chosen: FeatureView,
    train: pl.DataFrame,
    test: pl.DataFrame,
    said: dict[str, NDArray[np.bool_]],
) -> DirectionReport:
    up, days = (test["move"] > 0).to_numpy(), test["day"].to_numpy()
    how = {"seed": config.seed, "horizon": config.horizon}
    pairs = [(m, said.get(_with(m)), said.get(_without(m))) for m in config.models]
    gains = {
        m: outcalled(days, up, a, b, **how) for m, a, b in pairs if a is not None and b is not None
    }
    about: dict[str, Called] = {}
    if chosen.reads_texts:
        told = (test["fresh"] > 0).to_numpy()
        if told.any():
            about = {name: called(days[told], up[told], s[told], **how) for name, s in said.items()}
    return DirectionReport(
        chosen.version,
        train.height,
        train["symbol"].n_unique(),
        int(train["fresh"].sum()),
        float(up.mean()),
        {name: called(days, up, s, **how) for name, s in said.items()},
        gains,
        about,
    )


def _line(name: str, found: Called, width: int, sign: str = "") -> str:
    points = "-" if found.accuracy is None else f"{100 * found.accuracy:{sign}.1f} %"
    around = "" if found.accuracy_interval is None else "{:.1f} to {:.1f}".format(*(100 * x for x in found.accuracy_interval))  # fmt: skip
    mcc = "-" if found.mcc is None else f"{found.mcc:{sign}.3f}"
    near = "" if found.mcc_interval is None else "{:.3f} to {:.3f}".format(*found.mcc_interval)
    return f"{name:<{width}}  {points:>8}  {around:^16}  {mcc:>7}  {near:^18}".rstrip()
