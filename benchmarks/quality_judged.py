"""Judge flags on real panels by panels of other vendors: precision and recall with intervals.

Reads ../shared/data beside the checkout. A flag is right where what it says is wrong differs from
the other panels that cover the same symbol and session, and wrong where they agree with it. Cases
judged by hand lie in tests/golden/quality_verdicts.csv; they are no random sample. Recall is over
rows that two other panels, agreeing with each other, prove wrong.

    .venv/bin/python benchmarks/quality_judged.py [--seed 7] [--each 40]
"""

import argparse
import sys
import time
from pathlib import Path

import polars as pl

from bellwether.core.calendar import session_calendar
from bellwether.evaluation.intervals import wilson
from bellwether.quality import inspect

HERE = Path(__file__).parents[1]
DATA = HERE.parent / "shared" / "data"
VERDICTS = HERE / "tests" / "golden" / "quality_verdicts.csv"
PANELS = {
    "alphavantage": ("alphavantage_sp500_raw_1999_2021", "none"),
    "stooq": ("hsmd_long_1962_2017", "total"),
    "yahoo": ("yahoo_adj_sp500hist_2004_2026", "total"),
    "wiki": ("wiki_spy_members_2013_2018", "total"),
    "google": ("google_second_source_1987_2014", "splits"),
    "stocknet": ("stocknet_prices_2012_2014", "splits"),
}
KEY = ["symbol", "session"]
WHOLE = (
    "decimal_slip",
    "outlier",
    "stale_repeat",
    "missed_split",
    "misdated_split",
    "unexplained_jump",
)


def panel(name: str) -> pl.DataFrame:
    """Load a panel as bars."""
    file, adjustment = PANELS[name]
    frame = pl.read_parquet(DATA / f"{file}.parquet")
    told = {"split_ratio": "split_coefficient", "dividend_usd": "dividend_amount"}
    numbers = [pl.col(c).cast(pl.Float64) for c in ("open", "high", "low", "close", "volume")]
    return frame.select(
        pl.col("ticker").cast(pl.String).alias("symbol"),
        pl.col("date").alias("session"),
        *numbers,
        *(
            pl.col(column).cast(pl.Float64).alias(name)
            if column in frame.columns
            else pl.lit(1.0 if name == "split_ratio" else 0.0).alias(name)
            for name, column in told.items()
        ),
        adjustment=pl.lit(adjustment),
        source=pl.lit(name),
    ).sort(KEY)


def facts(bars: pl.DataFrame) -> pl.DataFrame:
    """Return what can be compared between vendors: returns, the bar's shape, volume over usual."""
    close, before = pl.col("close"), pl.col("close").shift(1).over("symbol")
    raw = pl.col("adjustment") == "none"
    paid = pl.when(raw).then(pl.col("dividend_usd")).otherwise(0.0)
    ratio = pl.when(raw).then(pl.col("split_ratio")).otherwise(1.0)
    logs = pl.col("volume").log1p()
    return bars.select(
        *KEY,
        ret=((close + paid) * ratio / before).log(),
        bare=(close * ratio / before).log(),
        open=(pl.col("open") / close).log(),
        high=(pl.col("high") / close).log(),
        low=(pl.col("low") / close).log(),
        volume=logs - logs.rolling_median(21, min_samples=5, center=True).over("symbol"),
        none=pl.col("volume") == 0,
    )


def compared(rows: pl.DataFrame, name: str, told: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Join rows of panel `name` with its own facts and, one row each, with those of the others."""
    own = rows.join(
        told[name].rename({c: f"own_{c}" for c in told[name].columns[2:]}), on=KEY, how="left"
    )
    parts = [
        own.join(facts_of, on=KEY).with_columns(other=pl.lit(other))
        for other, facts_of in told.items()
        if other != name
    ]
    return pl.concat(parts)


def differs() -> pl.Expr:
    """Tell whether the flagged fact differs from the other panel's; null where it cannot be told."""
    kind, field = pl.col("kind"), pl.col("field")
    ret = (pl.col("own_ret") - pl.col("ret")).abs()
    bare = (pl.col("own_bare") - pl.col("bare")).abs()
    least = pl.min_horizontal(ret, bare)
    shape = pl.max_horizontal(
        (pl.col(f"own_{c}") - pl.col(c)).abs() for c in ("open", "high", "low")
    )
    one = pl.coalesce(
        *(
            pl.when(field == c).then((pl.col(f"own_{c}") - pl.col(c)).abs())
            for c in ("open", "high", "low")
        )
    )
    busy = (pl.col("own_volume") - pl.col("volume")).abs()
    return (
        pl.when(kind == "missing_session")
        .then(~pl.col("none"))
        .when(kind == "zero_volume")
        .then(~pl.col("none"))
        .when(kind == "inflated_volume")
        .then(busy > 0.8)
        .when(kind == "bad_dividend")
        .then(ret > 0.004)
        .when(kind == "ohlc_contradiction")
        .then(shape > 0.0005)
        .when(one.is_not_null())
        .then(one > 0.01)
        .when(kind == "stale_repeat")
        .then((least > 0.0007) | ((shape > 0.002) & (field == "")))
        .when(kind.is_in(WHOLE))
        .then(least > 0.02)
        .when(kind == "ticker_reuse")
        .then(least > 0.003)
    )


def judged(flags: pl.DataFrame, name: str, told: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Give each covered flag a verdict: right where most other panels differ in what it blames."""
    rows = compared(flags, name, told).with_columns(differs=differs())
    return (
        rows.filter(pl.col("differs").is_not_null())
        .group_by(*KEY, "kind", "field", "severity")
        .agg(right=pl.col("differs").mean() >= 0.5, others=pl.len(), panel=pl.lit(name).first())
    )


def proven(name: str, told: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Return rows of `name` that at least two other panels, agreeing, prove wrong, with the fact."""
    rows = compared(told[name].select(KEY), name, told)
    found = []
    for fact, off, agree in (
        ("bare", 0.03, 0.004),
        ("high", 0.05, 0.004),
        ("low", 0.05, 0.004),
        ("volume", 2.0, 0.2),
    ):
        one = rows.group_by(KEY).agg(
            own=pl.col(f"own_{fact}").first(),
            middle=pl.col(fact).median(),
            spread=pl.col(fact).max() - pl.col(fact).min(),
            others=pl.col(fact).count(),
            ret=(pl.col("own_ret") - pl.col("ret")).abs().median(),
        )
        wrong = (
            ((pl.col("own") - pl.col("middle")).abs() > off)
            & (pl.col("spread") < agree)
            & (pl.col("others") > 1)
        )
        if fact == "bare":
            wrong &= pl.col("ret") > off
        found.append(one.filter(wrong).select(*KEY, fact=pl.lit(fact)))
    return pl.concat(found)


def touched(blamed: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """Return flagged rows and the next row of each: a wrong close makes two wrong returns."""
    rows = own.select(KEY).join(blamed.select(*KEY, flagged=True).unique(KEY), on=KEY, how="left")
    rows = rows.sort(KEY)
    before = pl.col("flagged").shift(1).over("symbol")
    return rows.with_columns(pl.coalesce("flagged", before)).filter(pl.col("flagged"))


def same_company(name: str, told: dict[str, pl.DataFrame]) -> list[str]:
    """Return the symbols whose returns follow those of the other panels that tell them."""
    rows = compared(told[name].select(KEY), name, told)
    tied = rows.filter(pl.col("own_ret").is_finite() & pl.col("ret").is_finite())
    tied = tied.group_by("symbol").agg(r=pl.corr("own_bare", "bare", method="spearman"), n=pl.len())
    return tied.filter((pl.col("r") > 0.6) & (pl.col("n") > 60))["symbol"].to_list()


def interval(right: int, of: int) -> str:
    """Write a share with its 95 % Wilson interval."""
    if not of:
        return "-"
    low, high = wilson(right, of)
    return f"{right / of:.2f} [{low:.2f}, {high:.2f}]"


def main() -> None:
    """Print the tables."""
    told = argparse.ArgumentParser()
    told.add_argument("--seed", type=int, default=7)
    told.add_argument("--each", type=int, default=25, help="flags judged of each kind and panel")
    options = told.parse_args()
    if not DATA.is_dir():
        sys.exit(f"the shared data do not lie in {DATA}")
    bars = {name: panel(name) for name in PANELS}
    known = {name: facts(frame) for name, frame in bars.items()}
    verdicts, recalls, calm = [], [], []
    for name, frame in bars.items():
        begin = time.perf_counter()
        flags = inspect(frame, session_calendar())
        blamed = flags.filter(pl.col("severity") != "note")
        print(
            f"{name}: {frame.height} bars, {blamed.height} flags, {time.perf_counter() - begin:.1f} s"
        )
        all_judged = judged(blamed, name, known)
        for _, part in sorted(all_judged.group_by("kind")):
            ordered = part.sort(*KEY, "field")
            verdicts.append(ordered.sample(min(options.each, part.height), seed=options.seed))
        near = touched(blamed, known[name])
        tied = same_company(name, known)
        others = (
            known[name]
            .select(KEY)
            .join(
                pl.concat([k.select(KEY) for n, k in known.items() if n != name]),
                on=KEY,
                how="semi",
            )["symbol"]
            .n_unique()
        )
        print(
            f"  {others - len(tied)} of {others} symbols tell another company than the other panels"
        )
        wrong = (
            proven(name, known)
            .filter(pl.col("symbol").is_in(tied))
            .join(near, on=KEY, how="left", maintain_order="left")
        )
        recalls.append(wrong.with_columns(panel=pl.lit(name)))
        rest = (
            known[name].select(KEY).join(blamed, on=KEY, how="anti").sample(200, seed=options.seed)
        )
        pairs = compared(rest, name, known)
        off = (
            pl.min_horizontal(
                (pl.col("own_ret") - pl.col("ret")).abs(),
                (pl.col("own_bare") - pl.col("bare")).abs(),
            )
            > 0.01
        ) | ((pl.col("own_volume") - pl.col("volume")).abs() > 1.5)
        calm.append(pairs.group_by(KEY).agg(off=off.mean() >= 0.5).with_columns(panel=pl.lit(name)))
    report(pl.concat(verdicts), pl.concat(recalls), pl.concat(calm))


def report(verdicts: pl.DataFrame, recalls: pl.DataFrame, calm: pl.DataFrame) -> None:
    """Print precision by kind and by panel, non-flags, and recall by fact."""
    print("\nprecision of judged flags (other panels)")
    for by in ("kind", "panel"):
        for (value,), part in sorted(verdicts.group_by(by)):
            print(
                f"  {value!s:20} {part.height:4} judged  {interval(int(part['right'].sum()), part.height)}"
            )
    print(
        f"  all                  {verdicts.height:4} judged  {interval(int(verdicts['right'].sum()), verdicts.height)}"
    )
    if VERDICTS.exists():
        hand = pl.read_csv(VERDICTS)["verdict"].value_counts().sort("verdict")
        print(f"  by hand, no random sample: {dict(hand.iter_rows())}")
    right = int((~calm["off"]).sum())
    print(
        f"\nnon-flags that other panels confirm: {calm.height} judged  {interval(right, calm.height)}"
    )
    print("\nrecall over rows that two other panels prove wrong")
    for (panel_name, fact), part in sorted(recalls.group_by("panel", "fact")):
        hit = int(part["flagged"].fill_null(value=False).sum())
        print(f"  {panel_name:14} {fact:7} {part.height:5} proven  {interval(hit, part.height)}")


if __name__ == "__main__":
    main()
