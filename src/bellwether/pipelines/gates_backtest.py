"""The evidence of a backtest: its report, as it was kept."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from bellwether.core.ports import BacktestRow, Ports
from bellwether.evaluation.gate_conduct import Record, budget, golden_rows, leak_audit
from bellwether.evaluation.gate_earned import Earned, earned
from bellwether.evaluation.gate_fairness import calibration_of_bins
from bellwether.evaluation.gate_policy import Policy, Verdict
from bellwether.evaluation.gates import Evidence
from bellwether.evaluation.intervals import MeanInterval
from bellwether.evaluation.regimes import VOLATILITY, volatility_terciles
from bellwether.evaluation.sharpe import sharpe_record
from bellwether.pipelines.gates_ledger import audited, inspected
from bellwether.pipelines.trades import HELD
from bellwether.pipelines.trials import PANEL
from bellwether.pipelines.tried import beside, of_study

COSTLY = ("next_open", "commission", "spread", "slippage", "impact", "borrow")
Found = Mapping[str, Any]


def evidence(row: BacktestRow, found: Found, policy: Policy, ports: Ports) -> Evidence:
    """Collect all that the gates look at; rows of single calls are not kept in a report."""
    horizon = int(found["config"]["horizon_sessions"])
    watermark = datetime.fromisoformat(found["watermark"])
    looks_ahead = found["lag_sessions"] == 0
    view = str(found["config"]["view"])
    conduct = (
        leak_audit("leak", 1, "this backtest, which fills orders before they were decided")
        if looks_ahead
        else audited(view, horizon, watermark, ports),
        inspected(watermark, ports),
        golden_rows(reproduced=None),
        budget(None, None, policy),
    )
    told = (_calibration(found, policy), _bias())
    unfair = _unfair(found)
    earned_ = None if unfair else _earned(row, found, horizon, ports)
    return Evidence(conduct, earned_, _at_sight(found, horizon), None, None, told, unfair)


def _unfair(found: Found) -> str:
    off = [n for n in found["config"].get("without", ()) if n in COSTLY]
    if found["lag_sessions"] == 0:
        return "Orders were filled at the open before the close that decided them."
    return f"What it earned is not after costs: {', '.join(off)} switched off." if off else ""


def _model(found: Found) -> str:
    names: list[str] = [n for n, s in found["strategies"].items() if s["role"] == "model"]
    return names[0]


def _net(found: Found, name: str) -> np.ndarray:
    """Return net returns by session; an account that lost everything earns nothing after."""
    return np.nan_to_num(np.array(found["curves"]["strategies"][name]["net"], dtype=np.float64))


def _earned(row: BacktestRow, found: Found, horizon: int, ports: Ports) -> Earned:
    model = _model(found)
    sessions = np.array(found["curves"]["sessions"], dtype="datetime64[D]")
    net = _net(found, model)
    days = sessions.astype(object).tolist()
    others = beside(f"open_to_open h={horizon}", of_study(row.key, model, PANEL), days, net, ports)
    kept = others.kept
    return earned(
        net=net[kept],
        baselines={n: _net(found, n)[kept] for n in found["strategies"] if n != model},
        folds=_folds(found, sessions)[kept],
        n_trials=others.counted,
        trials=others.returns,
        regimes=volatility_terciles(_net(found, HELD))[kept],
        regime_names=VOLATILITY,
        horizon=horizon,
    )


def _folds(found: Found, sessions: np.ndarray) -> np.ndarray:
    """Return the fold of each session; its calendar year where nothing was walked."""
    first = np.array([f["first"] for f in found["folds"]], dtype="datetime64[D]")
    if first.size == 0:
        return np.asarray(sessions.astype("datetime64[Y]").astype(np.int64))
    return np.asarray(np.maximum(np.searchsorted(first, sessions, side="right") - 1, 0))


def _at_sight(found: Found, horizon: int) -> Record:
    model = _model(found)
    metrics = found["strategies"][model]["metrics"]
    ratio = sharpe_record(_net(found, model))
    ends = None if ratio.low is None or ratio.high is None else (ratio.low, ratio.high)
    share, span = metrics.get("directional_accuracy"), metrics.get("directional_accuracy_ci")
    hits = None
    if share is not None and span is not None:
        n = int(metrics["n"])
        hits = MeanInterval(share, span[0], span[1], None, n, int(found["n_sessions"]))
    n_dates = len(found["curves"]["sessions"])
    return Record(metrics.get("r2_oos"), hits, ratio.annual, ends, n_dates, horizon)


def _calibration(found: Found, policy: Policy) -> Verdict:
    bins = [b for b in found["calibration"] if b["low"] is not None and b["high"] is not None]
    said, low, high, n = ([b[k] for b in bins] for k in ("said", "low", "high", "n"))
    return calibration_of_bins(said, low, high, n, policy)


def _bias() -> Verdict:
    return Verdict(
        "bias",
        "not assessable",
        "The report of a backtest keeps no single calls.",
        "It is assessable for a release.",
        applies=False,
    )
