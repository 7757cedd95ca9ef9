"""Whether a model's forecasts are better than its baselines' by more than chance."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from bellwether.evaluation.adjusted import adjusted_p
from bellwether.evaluation.comparison import (
    clark_west_by_date,
    diebold_mariano,
    giacomini_white,
)
from bellwether.evaluation.direction import pesaran_timmermann
from bellwether.evaluation.groups import MIN_DATES, MIN_NAMES, GroupTest, group_means, group_test
from bellwether.evaluation.losses import DateLosses, date_losses
from bellwether.evaluation.stretches import stretch_test
from bellwether.evaluation.superiority import MIN_DATES as FEWEST
from bellwether.evaluation.superiority import superiority
from bellwether.pipelines.backtest_tables import calls_of, instants

AGAINST = ("historical_mean", "last_value")
CALLER = "always_up"
FIFTHS = 5
PANEL = (
    "rows of one session move together and one row is not one observation: believe the interval of "
    "the hit rate, which counts sessions"
)
Found = dict[str, Any]


def significance(
    record: pl.DataFrame, model: str, baselines: Sequence[str], horizon: int, seed: int
) -> Found:
    """Test a model's forecasts against baselines, and whether its calls were better in some groups.

    Every test counts decision dates, but Pesaran and Timmermann's, which says so. `family` lists all
    of them with p values, and with what Holm makes of them together.
    """
    names = tuple(dict.fromkeys((model, *baselines)))
    squared = date_losses(record, names, "squared")
    pairs = [_pair(record, squared, name, horizon) for name in AGAINST if name in names[1:]]
    found: Found = {
        "against": pairs,
        "superiority": _best(record, names, horizon, seed) if CALLER in names[1:] else None,
        "direction": _direction(record, model, horizon),
        "years": _years(record, model, horizon, seed),
        "volatility": _fifths(record, model, horizon, seed),
    }
    return found | {"family": family(found)}


def _pair(record: pl.DataFrame, losses: DateLosses, baseline: str, horizon: int) -> Found:
    """Compare the first model's squared errors: where positive, the baseline's are larger."""
    model = losses.models[0]
    less = losses.of(baseline) - losses.of(model)
    nested = clark_west_by_date(
        instants(record),
        record["log_return"].to_numpy(),
        record[f"forecast_{baseline}"].cast(pl.Float64).to_numpy(),
        record[f"forecast_{model}"].cast(pl.Float64).to_numpy(),
        horizon,
    )
    return {
        "baseline": baseline,
        "loss": "squared",
        "diebold_mariano": asdict(diebold_mariano(less, horizon)),
        "giacomini_white": asdict(giacomini_white(less, horizon)),
        "clark_west": asdict(nested),
    }


def _best(record: pl.DataFrame, names: Sequence[str], horizon: int, seed: int) -> Found | None:
    """Ask whether any of all models misses fewer directions than always saying up."""
    losses = date_losses(record, names, "miss")
    if len(losses.dates) < FEWEST:
        return None
    less = losses.against(CALLER)
    # misses hardly depend on those of the day before: the usual rate will do for their blocks
    block = max(min(horizon, len(less)), math.ceil(len(less) ** (1 / 3)))
    found = superiority(less, block=block, seed=seed)
    others = [name for name in names if name != CALLER]
    told = asdict(found)
    return told | {
        "benchmark": CALLER,
        "loss": "miss",
        "models": others,
        "best": None if found.best is None else others[found.best],
        "t": _known(found.t),
        "stepwise": _known(found.stepwise),
    }


def _direction(record: pl.DataFrame, model: str, horizon: int) -> Found:
    found = pesaran_timmermann(
        record["log_return"].to_numpy(), record[f"direction_{model}"].to_numpy(), horizon
    )
    panel = PANEL if record["symbol"].n_unique() > 1 else None
    warning = "; ".join(w for w in (found.warning, panel) if w)
    return asdict(found) | {"warning": warning or None}


def _years(record: pl.DataFrame, model: str, horizon: int, seed: int) -> Found:
    """Test whether the hit rate differs between calendar years."""
    calls = calls_of(record, model)
    found = stretch_test(
        instants(calls),
        calls["session"].dt.year().to_numpy(),
        calls["hit"].cast(pl.Float64).to_numpy(),
        seed=seed,
        lags=horizon - 1,
    )
    why = f"fewer than two years with {MIN_DATES} sessions with calls, or nothing that varies"
    return _told(found, why)


def _fifths(record: pl.DataFrame, model: str, horizon: int, seed: int) -> Found | None:
    """Test whether the hit rate differs between names that were calm or wild at the decision."""
    if "scale" not in record.columns:
        return None
    calls = calls_of(record, model).filter(pl.len().over("session") >= FIFTHS * MIN_NAMES)
    place = pl.col("scale").rank("ordinal").over("session") - 1
    calls = calls.with_columns(fifth=place * FIFTHS // pl.len().over("session") + 1)
    dated = group_means(
        instants(calls),
        calls["fifth"].cast(pl.Int64).to_numpy(),
        calls["hit"].cast(pl.Float64).to_numpy(),
    )
    why = f"fewer than {MIN_DATES} sessions with calls on {FIFTHS * MIN_NAMES} names"
    return _told(group_test(dated, seed=seed, lags=horizon - 1), why)


def _told(found: GroupTest, why: str) -> Found:
    return asdict(found) | {"why": "" if found.p is not None else why}


def family(found: Found) -> list[Found]:
    """List all tests with their p values, and adjusted for how many there are (Holm).

    A test that carries a warning is listed, and not among those that are adjusted.
    """
    rows = []
    for pair in found["against"]:
        name = pair["baseline"]
        rows += [
            _row("Diebold-Mariano", f"squared errors as {name}'s", pair["diebold_mariano"]),
            _row("Giacomini-White", f"no telling when {name} is better", pair["giacomini_white"]),
            _row("Clark-West", f"nothing beyond {name}", pair["clark_west"]),
        ]
    best = found["superiority"]
    if best is not None:
        told = {"statistic": None, "p": best["spa"], "n": best["n"]}
        rows.append(_row("SPA (Hansen)", f"no model calls better than {best['benchmark']}", told))
    for key, what in (("years", "years"), ("volatility", "fifths by volatility")):
        group = found[key]
        if group is not None:
            told = {"statistic": group["wald"], "p": group["p"], "n": group["n_dates"]}
            rows.append(_row("Groups (Wald)", f"one hit rate in all {what}", told, group["why"]))
    direction = found["direction"]
    rows.append(
        _row("Pesaran-Timmermann", "calls say nothing", direction, direction["warning"] or "")
    )
    tried = [row for row in rows if row["p"] is not None and not row["note"]]
    for row, p in zip(tried, adjusted_p([row["p"] for row in tried], "holm"), strict=True):
        row["p_holm"] = float(p)
    return rows


def _row(test: str, null: str, told: Found, note: str = "") -> Found:
    return {
        "test": test,
        "null": null,
        "statistic": told["statistic"],
        "p": told["p"],
        "p_holm": None,
        "n": told["n"],
        "note": note,
    }


def _known(values: Any) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]
