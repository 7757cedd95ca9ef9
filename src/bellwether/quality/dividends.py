"""Dividends that the price does not know of."""

import numpy as np

from bellwether.quality.found import Finding, price
from bellwether.quality.panel import Floats, Ints, Panel, nanmedian
from bellwether.quality.policy import QualityPolicy
from bellwether.quality.scale import Normal, share_basis

TEN = float(np.log(10.0))


def bad_dividends(panel: Panel, normal: Normal, policy: QualityPolicy) -> list[Finding]:
    """Flag dividends without their drop, dividends beyond belief, and slips against the own usual.

    Prices that already hold the dividends ("total") show no drop; there only size can be judged.
    """
    paid = np.flatnonzero(panel.dividend > 0)
    if not len(paid):
        return []
    before = panel.lag(panel.close) / np.where(panel.raw, panel.split, 1.0)
    share = np.nan_to_num(panel.dividend / before)
    drop = np.log1p(-np.clip(share, 0.0, 0.95))
    bare = np.log(np.maximum(panel.close, 1e-9)) - np.log(np.maximum(before, 1e-9))
    told = np.nan_to_num(bare - drop - normal.market)
    none = np.nan_to_num(bare - normal.market)
    evidence = np.clip(told**2 - none**2, 0, None) / (2 * normal.sigma**2)
    usual = _usual(panel, paid)
    found = []
    for row in paid.tolist():
        evident = -1.0 if panel.total[row] else float(evidence[row])
        why = _why(float(share[row]), evident, float(usual[row]), policy)
        if why:
            severity, words, score = why
            value = float(panel.dividend[row])
            detail = f"dividend {price(value)} USD, {share[row]:.2%} of the price: {words}"
            found.append(Finding(row, "bad_dividend", "dividend_usd", severity, score, detail))
    return found


def _why(
    share: float, evidence: float, usual: float, policy: QualityPolicy
) -> tuple[str, str, float] | None:
    """Say what is wrong with a dividend; `evidence` below 0 means prices that hold it already."""
    odd = abs(usual) > 0.75 * TEN
    least = policy.dividend_evidence * (0.7 if odd else 1.0)
    total = evidence < 0
    undropped = evidence > least
    if undropped and (share > policy.dividend_yield or odd):
        return "fault", "the price did not drop by it on the ex-date", evidence
    if total and share > policy.dividend_absurd:
        return "fault", "beyond belief", share / policy.dividend_absurd
    if odd and (usual < 0 or undropped or total):
        times = np.exp(abs(usual))
        words = f"{times:.0f} times {'above' if usual > 0 else 'below'} the symbol's usual one"
        return "suspect", words, abs(usual)
    return None


def _usual(panel: Panel, paid: Ints) -> Floats:
    """Return the log of each dividend over the median of three on each side, the smaller of both.

    A cut dividend stays cut: only one that is odd against those before and those after is odd.
    0 where a side has fewer than two.
    """
    logs = np.log(panel.dividend[paid]) + share_basis(panel)[paid]
    code = panel.code[paid]
    away = []
    for side in ((-3, -2, -1), (1, 2, 3)):
        place = np.arange(len(paid))[None, :] + np.array(side)[:, None]
        inside = (place >= 0) & (place < len(paid))
        place = np.clip(place, 0, len(paid) - 1)
        around = np.where(inside & (code[place] == code), logs[place], np.nan)
        enough = np.sum(~np.isnan(around), axis=0) >= 2  # noqa: PLR2004
        away.append(np.where(enough, logs - nanmedian(around), 0.0))
    least = np.fmin(np.abs(away[0]), np.abs(away[1]))
    out = np.zeros(panel.rows)
    out[paid] = np.where(np.sign(away[0]) == np.sign(away[1]), np.sign(away[0]) * least, 0.0)
    return out
