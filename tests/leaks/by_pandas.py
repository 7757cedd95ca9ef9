"""Planted leaks in pandas and its friends, one symbol at a time or the panel as a whole."""

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d
from scipy.signal import savgol_filter
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler


def _by_symbol(panel: pd.DataFrame, column: object) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"symbol": s, "session": g["session"], "x": column(g["close"])})
        for s, g in panel.groupby("symbol")
    ]
    return pd.concat(parts)


def fourier(panel: pd.DataFrame) -> pd.DataFrame:
    def smooth(close: pd.Series) -> np.ndarray:
        spectrum = np.fft.rfft(close.to_numpy())
        spectrum[20:] = 0
        return np.fft.irfft(spectrum, len(close))

    return _by_symbol(panel, smooth)


def savitzky_golay(panel: pd.DataFrame) -> pd.DataFrame:
    return _by_symbol(
        panel, lambda c: savgol_filter(c.to_numpy(), 21, 3, mode="nearest") if len(c) > 21 else c
    )


def gaussian(panel: pd.DataFrame) -> pd.DataFrame:
    return _by_symbol(panel, lambda c: gaussian_filter1d(c.to_numpy(), 3.0))


def principal_component(panel: pd.DataFrame) -> pd.DataFrame:
    wide = (
        panel.pivot_table(index="session", columns="symbol", values="close")
        .pct_change()
        .fillna(0.0)
    )
    if len(wide) < 5:
        return panel[["symbol", "session"]].assign(x=0.0)
    first = pd.Series(PCA(1, random_state=0).fit_transform(wide)[:, 0], index=wide.index)
    return panel[["symbol", "session"]].assign(x=panel["session"].map(first))


def clusters(panel: pd.DataFrame) -> pd.DataFrame:
    r = panel.groupby("symbol")["close"].pct_change().fillna(0.0)
    v = np.log1p(panel["volume"])
    if len(panel) < 10:
        return panel[["symbol", "session"]].assign(x=0.0)
    found = KMeans(3, n_init=1, max_iter=5, random_state=0).fit(np.column_stack([r * 50, v]))
    return panel[["symbol", "session"]].assign(x=found.cluster_centers_[found.labels_, 1])


def scaler(panel: pd.DataFrame) -> pd.DataFrame:
    r = panel.groupby("symbol")["close"].pct_change(5).fillna(0.0)
    return panel[["symbol", "session"]].assign(x=StandardScaler().fit_transform(r.to_frame())[:, 0])


def resampled(panel: pd.DataFrame) -> pd.DataFrame:
    """Fill weekly means back over the days before them."""

    def weekly(close: pd.Series) -> pd.Series:
        days = panel.loc[close.index, "session"]
        weeks = pd.Series(close.to_numpy(), index=days).resample("W").mean()
        return weeks.reindex(days, method="bfill").to_numpy()

    return _by_symbol(panel, weekly)


def interpolated(panel: pd.DataFrame) -> pd.DataFrame:
    return _by_symbol(panel, lambda c: c.where(np.arange(len(c)) % 5 == 0).interpolate().to_numpy())


def pivot_filled_back(panel: pd.DataFrame) -> pd.DataFrame:
    """Fill prices before a listing with the first that comes."""
    wide = panel.pivot_table(index="session", columns="symbol", values="close").bfill()
    market = wide.mean(axis=1)
    return panel[["symbol", "session"]].assign(x=panel["session"].map(market))


def nearest_event(panel: pd.DataFrame) -> pd.DataFrame:
    paid = panel.loc[panel["dividend_usd"] > 0, ["session", "symbol", "dividend_usd"]]
    made = pd.merge_asof(
        panel[["session", "symbol"]].sort_values("session"),
        paid.sort_values("session"),
        on="session", by="symbol", direction="nearest",
    )  # fmt: skip
    return made.rename(columns={"dividend_usd": "x"})[["symbol", "session", "x"]]
