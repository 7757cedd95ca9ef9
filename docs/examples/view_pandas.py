"""The same idea in pandas, one symbol at a time.

Audit it with: bellwether features audit --view docs/examples/view_pandas.py
"""

import numpy as np
import pandas as pd


def features_of(bars: pd.DataFrame) -> pd.DataFrame:
    """Compute the features of one symbol; its bars are sorted by session, prices are as traded."""
    before = bars["close"].shift(1) / bars["split_ratio"]
    r = np.log((bars["close"] + bars["dividend_usd"]) / before)
    return pd.DataFrame(
        {
            "session": bars["session"],
            "momentum_21": r.rolling(21).sum(),
            "skew_63": r.rolling(63).skew(),
            "trend": r.ewm(span=20, adjust=False).mean(),
            "calm": r.rolling(21).std().rolling(252).rank(pct=True),
            "weekday": bars["session"].dt.dayofweek,
        }
    )
