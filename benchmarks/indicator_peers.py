"""The same indicators by `ta` and by Polars expressions; runs in an environment of its own."""

import json
import sys
import time
import warnings

import numpy as np
import pandas as pd
import polars as pl
import ta

warnings.filterwarnings("ignore")


def by_ta(frame: pd.DataFrame) -> int:
    h, lo, c, v = (frame[x] for x in ("high", "low", "close", "volume"))
    out = {}
    for n in (10, 20, 50):
        out[f"sma_{n}"] = ta.trend.sma_indicator(c, n)
    for n in (12, 26, 50):
        out[f"ema_{n}"] = ta.trend.ema_indicator(c, n)
    for n in (1, 5, 20):
        out[f"roc_{n}"] = ta.momentum.roc(c, n)
    macd = ta.trend.MACD(c)
    out |= {"macd": macd.macd(), "signal": macd.macd_signal(), "histogram": macd.macd_diff()}
    bands = ta.volatility.BollingerBands(c)
    out["upper"], out["middle"] = bands.bollinger_hband(), bands.bollinger_mavg()
    out["lower"] = bands.bollinger_lband()
    stoch = ta.momentum.StochasticOscillator(h, lo, c)
    out |= {"stoch_k": stoch.stoch(), "stoch_d": stoch.stoch_signal()}
    aroon = ta.trend.AroonIndicator(h, lo)
    out |= {"aroon_down": aroon.aroon_down(), "aroon_up": aroon.aroon_up()}
    adx = ta.trend.ADXIndicator(h, lo, c)
    out |= {"adx": adx.adx(), "plus_di": adx.adx_pos(), "minus_di": adx.adx_neg()}
    out["willr"] = ta.momentum.williams_r(h, lo, c)
    out["atr"] = ta.volatility.average_true_range(h, lo, c)
    out["natr"] = out["atr"] / c
    out["rsi"] = ta.momentum.rsi(c)
    out["cci"] = ta.trend.cci(h, lo, c)
    out["mfi"] = ta.volume.money_flow_index(h, lo, c, v)
    out["obv"] = ta.volume.on_balance_volume(c, v)
    out["ad"] = ta.volume.acc_dist_index(h, lo, c, v)
    out["stddev"] = c.rolling(20).std(ddof=0)
    out["max_60"], out["min_60"] = h.rolling(60).max(), lo.rolling(60).min()
    out["trix"] = ta.trend.trix(c)
    return pd.DataFrame(out).shape[1]


def expressions() -> list[pl.Expr]:
    """Return what of it can be said in Polars: all but CCI and Aroon."""
    h, lo, c, v = (pl.col(x) for x in ("high", "low", "close", "volume"))
    before = c.shift(1)
    wilder = {"alpha": 1 / 14, "adjust": False, "min_samples": 14}
    true_range = pl.max_horizontal(h, before) - pl.min_horizontal(lo, before)
    up, down = h - h.shift(1), lo.shift(1) - lo
    plus = pl.when((up > down) & (up > 0)).then(up).otherwise(0.0)
    minus = pl.when((down > up) & (down > 0)).then(down).otherwise(0.0)
    atr = true_range.ewm_mean(**wilder)
    plus_di, minus_di = plus.ewm_mean(**wilder) / atr * 100, minus.ewm_mean(**wilder) / atr * 100
    gain, loss = c.diff().clip(lower_bound=0), (-c.diff()).clip(lower_bound=0)
    macd = c.ewm_mean(span=12, adjust=False) - c.ewm_mean(span=26, adjust=False)
    signal = macd.ewm_mean(span=9, adjust=False)
    low_14, high_14 = lo.rolling_min(14), h.rolling_max(14)
    k = ((c - low_14) / (high_14 - low_14) * 100).rolling_mean(3)
    typical = (h + lo + c) / 3
    flow = typical * v
    inflow = pl.when(typical > typical.shift(1)).then(flow).otherwise(0.0).rolling_sum(14)
    middle, sd = c.rolling_mean(20), c.rolling_std(20, ddof=0)
    triple = c
    for _ in range(3):
        triple = triple.ewm_mean(span=15, adjust=False)
    out = {
        **{f"sma_{n}": c.rolling_mean(n) for n in (10, 20, 50)},
        **{f"ema_{n}": c.ewm_mean(span=n, adjust=False) for n in (12, 26, 50)},
        **{f"roc_{n}": c / c.shift(n) - 1 for n in (1, 5, 20)},
        "macd": macd,
        "signal": signal,
        "histogram": macd - signal,
        "upper": middle + 2 * sd,
        "middle": middle,
        "lower": middle - 2 * sd,
        "stoch_k": k,
        "stoch_d": k.rolling_mean(3),
        "plus_di": plus_di,
        "minus_di": minus_di,
        "atr": atr,
        "natr": atr / c * 100,
        "adx": ((plus_di - minus_di).abs() / (plus_di + minus_di) * 100).ewm_mean(**wilder),
        "willr": (high_14 - c) / (high_14 - low_14) * -100,
        "rsi": 100 - 100 / (1 + gain.ewm_mean(**wilder) / loss.ewm_mean(**wilder)),
        "mfi": inflow / flow.rolling_sum(14) * 100,
        "obv": (c.diff().sign().fill_null(0) * v).cum_sum(),
        "ad": ((2 * c - lo - h) / (h - lo) * v).fill_nan(0).cum_sum(),
        "stddev": sd,
        "max_60": h.rolling_max(60),
        "min_60": lo.rolling_min(60),
        "trix": triple / triple.shift(1) - 1,
    }
    return [e.over("symbol").alias(name) for name, e in out.items()]


def main() -> None:
    frame = pl.read_parquet(sys.argv[1])
    parts = [p.to_pandas() for p in frame.partition_by("symbol")]
    found = {}
    by_ta(parts[0].head(500))
    cpu, begun = time.process_time(), time.perf_counter()
    n = sum(by_ta(part) for part in parts)
    values = n * len(parts[0])
    found["ta_ns"] = (time.perf_counter() - begun) / values * 1e9
    found["ta_cpu_ns"] = (time.process_time() - cpu) / values * 1e9
    told = expressions()
    times = []
    for _ in range(3):
        cpu, begun = time.process_time(), time.perf_counter()
        made = frame.with_columns(told)
        times.append((time.perf_counter() - begun, time.process_time() - cpu))
    assert np.isfinite(made["ema_50"][-1])
    wall, cpu = (float(np.median(x)) for x in zip(*times, strict=True))
    found["polars_ns"] = wall / (len(told) * frame.height) * 1e9
    found["polars_cpu_ns"] = cpu / (len(told) * frame.height) * 1e9
    print(json.dumps(found))


if __name__ == "__main__":
    main()
