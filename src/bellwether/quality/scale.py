"""What is normal for a symbol on a day: level, return, local scale, range and volume."""

from dataclasses import dataclass

import numpy as np

from bellwether.quality.panel import Floats, Panel, nanmedian
from bellwether.quality.policy import QualityPolicy

MAD = 1.4826


@dataclass(frozen=True, slots=True)
class Normal:
    """Moving statistics; natural logs, shape (n,), NaN where unknown.

    `level` is the middle of the bar's prices on one share basis, `close` the close on it, `step`
    the close's log return with told splits (and, in unadjusted prices, dividends) taken out,
    `market` the day's median of `step` over symbols, `sigma` the scale of ``step - market``,
    `span` high over low against its local median, `busy` volume against its local median and
    against the day's, as log ratios.
    """

    level: Floats
    close: Floats
    step: Floats
    market: Floats
    sigma: Floats
    span: Floats
    busy: Floats

    @property
    def z(self) -> Floats:
        """Return the market-adjusted step in sigma."""
        return (self.step - self.market) / self.sigma


def log_or_nan(x: Floats) -> Floats:
    """Return the natural log; NaN where `x` is not positive."""
    logs: Floats = np.log(np.where(x > 0, x, np.nan))
    return logs


def share_basis(panel: Panel) -> Floats:
    """Return the log of shares that one share of the symbol's first bar became (0 if adjusted)."""
    told = np.where(panel.raw, np.log(panel.split), 0.0)
    run = np.cumsum(told)
    basis: Floats = run - (run - told)[panel.first]
    return basis


def normal_of(panel: Panel, policy: QualityPolicy) -> Normal:
    """Measure what is normal in `panel`."""
    basis = share_basis(panel)
    logs = log_or_nan(panel.prices()) + basis
    close = logs[3]
    level = nanmedian(logs)
    paid = np.where(panel.total, 0.0, panel.dividend) * np.exp(basis)
    before = panel.lag(close)
    yields = np.clip(paid / np.exp(before), 0.0, 0.5)
    step = close - before - np.log1p(-np.nan_to_num(yields))
    market = np.nan_to_num(panel.day_median(step, policy.cross_section))
    away = np.abs(step - market)
    storm = panel.storm(away, policy.cross_section, 4 * policy.scale_window)
    sigma = MAD * panel.moving_median(away, policy.scale_window, 8)
    sigma = np.fmax(np.nan_to_num(sigma, nan=0.02), policy.scale_floor) * storm
    span = log_or_nan(panel.high) - log_or_nan(panel.low)
    width = np.fmax(panel.moving_median(span, policy.scale_window, 8), 0.5 * sigma)
    shares = log_or_nan(panel.volume) - basis
    busy = shares - panel.moving_median(shares, 21, 5)
    busy = busy - np.nan_to_num(panel.day_median(busy, policy.cross_section))
    return Normal(level, close, step, market, sigma, span / width, busy)
