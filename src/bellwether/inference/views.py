"""What people look at: the walk-forward of a symbol, health, the front page. All JSON-ready."""

import json
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import polars as pl

from bellwether.core.errors import MissingRecord
from bellwether.core.ports import Ports
from bellwether.core.types import Adjustment, StoredPrediction
from bellwether.evaluation.record import figures
from bellwether.inference.catalogue import Catalogue
from bellwether.inference.reads import reads
from bellwether.inference.release import Served
from bellwether.models.factory import BASELINES

SPARK_SESSIONS = 250
RECENT = 10


def backtest(served: Served, symbol: str, days: int) -> dict[str, object]:
    """Return the last `days` judged sessions of a symbol: the model beside the baselines.

    Raises
    ------
    MissingRecord
        If the release has no walk-forward rows of the symbol.
    """
    rows = None if served.record is None else served.record.filter(pl.col("symbol") == symbol)
    if rows is None or rows.height == 0:
        raise MissingRecord("walk-forward record", symbol, "bellwether train")
    last = rows.sort("session").tail(days)
    horizon = served.horizon_sessions
    return {
        "symbol": symbol,
        "from": str(last["session"][0]),
        "to": str(last["session"][-1]),
        "n": last.height,
        "metrics": figures(last, served.model, horizon),
        "baselines": {b: figures(last, b, horizon) for b in BASELINES},
        "costs": served.costs,
        "release": served.release_id,
        "model": served.model,
        "horizon_sessions": horizon,
    }


def overview(ports: Ports, catalogue: Catalogue) -> dict[str, object]:
    """Return what the front page shows."""
    main = _main(catalogue)
    return {
        "as_of": str(ports.calendar.last_closed(ports.clock.now())),
        "clock": ports.clock.now().isoformat(),
        "degraded": list(ports.clock.standing),
        "symbols": [_card(s, ports, catalogue) for s in catalogue.symbols],
        "walk_forward": None if main is None else _walk_forward(main, catalogue),
        "recent": [_brief(p) for p in ports.log.recent(RECENT)],
        "quarantine": ports.lake.quarantine().height,
        "predictions": ports.log.count(),
    }


def _main(catalogue: Catalogue) -> Served | None:
    judged = [s for s in catalogue.releases.values() if s.record is not None]
    return max(judged, key=lambda s: len(s.symbols)) if judged else None


def _card(symbol: str, ports: Ports, catalogue: Catalogue) -> dict[str, object]:
    horizons = sorted(h for s, h in catalogue.answering if s == symbol)
    served = catalogue.release_for(symbol, horizons[0]) if horizons else None
    bars = ports.lake.bars([symbol]).unique("session", keep="last").sort("session")
    recent = bars.tail(SPARK_SESSIONS)
    skill = catalogue.skill(served, symbol) if served else None
    return {
        "symbol": symbol,
        "last_session": str(bars["session"][-1]),
        "last_close": bars["close"][-1],
        "release": served.release_id if served else None,
        "model": served.model if served else None,
        "skill": asdict(skill) if skill else None,
        "history": {
            "sessions": [str(d) for d in recent["session"].to_list()],
            "close": _today(recent),
        },
    }


def _today(bars: pl.DataFrame) -> list[float]:
    """Put raw closes on the share basis of the last session, as people read a chart."""
    raw = bars["adjustment"].to_numpy() == Adjustment.NONE
    ratios = np.where(raw, bars["split_ratio"].to_numpy(), 1.0)
    after = np.append(np.cumprod(ratios[::-1])[::-1][1:], 1.0)
    return [float(c) for c in bars["close"].to_numpy() / after]


def _walk_forward(served: Served, catalogue: Catalogue) -> dict[str, object]:
    record = served.record
    if record is None:
        raise MissingRecord("walk-forward record", served.release_id, "bellwether train")
    rows = []
    for name in (served.model, *BASELINES):
        f = figures(record, name, served.horizon_sessions)
        low, high = f["directional_accuracy_ci"] or (None, None)
        keep = ("n", "directional_accuracy", "r2_oos", "brier", "sharpe", "roi", "max_drawdown")
        rows.append(
            {"name": name, "is_model": name == served.model, "ci_low": low, "ci_high": high}
            | {k: f[k] for k in keep}
        )
    return {
        "model": served.model,
        "from": str(record["session"].min()),
        "to": str(record["session"].max()),
        "horizon_sessions": served.horizon_sessions,
        "rows": rows,
        "reading": _reading(served, catalogue),
    }


def _reading(served: Served, catalogue: Catalogue) -> str:
    """Say what the gates say of a release, and on which symbols its calls bear it out."""
    shown = [s for s in sorted(served.skill) if (k := catalogue.skill(served, s)) and k.shown]
    if shown:
        return f"The gates show skill, and its calls beat every baseline's on {', '.join(shown)}."
    if catalogue.standing(served.release_id).skill_shown:
        return "The gates show skill over all symbols; on none alone do its calls bear it out."
    return "No skill is shown: the gates, asked when it was made, did not find any."


def _brief(p: StoredPrediction) -> dict[str, object]:
    return {
        "prediction_id": p.prediction_id,
        "recorded_at": p.recorded_at.isoformat(),
        "symbol": p.symbol,
        "as_of": str(p.as_of),
        "expected_return": p.expected_return,
        "probability_up": p.probability_up,
        "direction": p.direction,
        "release": p.release,
    }


def named(values: bytes, positions: Mapping[str, int]) -> dict[str, float | None]:
    """Return the values of a vector by name; None for one that is missing."""
    numbers = np.frombuffer(values, dtype="<f8").tolist()
    return {n: x if (x := numbers[i]) == x else None for n, i in positions.items()}


def stored(p: StoredPrediction) -> dict[str, object]:
    """Return a stored prediction with its features by name where its view is computed here."""
    row, found = asdict(p), reads(p.view)
    positions = {} if found is None else {n: i for i, n in enumerate(found.view.columns)}
    return row | {
        "recorded_at": p.recorded_at.isoformat(),
        "watermark": p.watermark.isoformat(),
        "as_of": str(p.as_of),
        "features": None if found is None else named(p.features, positions),
        "request": json.loads(p.request),
        "degraded": json.loads(p.degraded),
    }
