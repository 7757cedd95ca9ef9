"""Two sources about the same symbols: where they disagree, which is wrong, and what to keep.

The sources may be adjusted differently. So levels are never compared, only how the ratio of the
two levels moves: it is flat between corporate actions, steps once where one source adjusts and
the other does not, and leaves and returns where one of them is wrong for a day.
"""

import polars as pl

from bellwether.core.errors import SchemaViolation
from bellwether.quality.found import settle
from bellwether.quality.policy import QualityPolicy

STANDARD = QualityPolicy()
KEY = ("symbol", "session")
RANGE = ("open", "high", "low")
NEEDED = (*KEY, *RANGE, "close", "volume", "split_ratio", "dividend_usd", "adjustment")


def disagreements(
    first: pl.DataFrame, second: pl.DataFrame, policy: QualityPolicy = STANDARD
) -> pl.DataFrame:
    """Compare two sources where both tell a symbol.

    Parameters
    ----------
    first, second : DataFrame
        Bars as for `inspect`, one row for each symbol and session; adjustments may differ.
    policy : QualityPolicy
        The `disagree_` thresholds.

    Returns
    -------
    DataFrame
        Schema FLAGS, kind ``source_disagreement``, about the sessions of `first`: a fault where
        `first` is the one that leaves its own neighbours, a note where it is `second`, a suspect
        where neither can be told. A session that only `second` tells, inside the life of the
        symbol in `first`, is a suspect of field "".

    Raises
    ------
    SchemaViolation
        If a column is missing or a symbol has two bars in one session.
    """
    both = _paired(first, second)
    return settle(
        [
            _closes(both, policy),
            *(_ranges(both, name, policy) for name in RANGE),
            _volumes(both, policy),
            _untold(first, second),
        ]
    )


def reconciled(
    first: pl.DataFrame, second: pl.DataFrame, policy: QualityPolicy = STANDARD
) -> pl.DataFrame:
    """Keep `first`, but take from `second` the bars that `first` lacks or has wrong.

    Taken prices and volume are brought to the scale of `first` by the median ratio of the ten
    sessions around. A bar is taken whole and only where `first` is believed wrong in its close;
    where it cannot be told who is wrong, `first` stands.

    Returns
    -------
    DataFrame
        The columns of `first`, sorted by symbol and session; `source` says who told the bar.
    """
    flags = disagreements(first, second, policy)
    wrong = flags.filter((pl.col("field") == "close") & (pl.col("severity") == "fault"))
    taken = pl.concat([wrong, flags.filter(pl.col("field") == "")]).select(KEY).unique()
    moved = second.join(taken, on=KEY, how="semi")
    moved = moved.join(_scale(first, second, wrong, moved), on=KEY).with_columns(
        *(pl.col(c) * pl.col("price") for c in (*RANGE, "close")),
        volume=pl.col("volume") * pl.col("shares").fill_null(1.0),
    )
    told = first.select(*KEY, "split_ratio", "dividend_usd", "adjustment")
    whose = first.group_by("symbol").agg(own=pl.col("adjustment").first())
    moved = moved.drop("split_ratio", "dividend_usd", "adjustment").join(told, on=KEY, how="left")
    moved = moved.join(whose, on="symbol").with_columns(
        split_ratio=pl.col("split_ratio").fill_null(1.0),
        dividend_usd=pl.col("dividend_usd").fill_null(0.0),
        adjustment=pl.coalesce("adjustment", "own"),
    )
    kept = first.join(moved.select(KEY), on=KEY, how="anti")
    return pl.concat([kept, moved.select(first.columns)]).sort(KEY)


def _scale(
    first: pl.DataFrame, second: pl.DataFrame, wrong: pl.DataFrame, moved: pl.DataFrame
) -> pl.DataFrame:
    """Return what brings `second`'s price and volume to the scale of `first` on each moved bar."""
    volumes = pl.col("a_volume") / pl.col("b_volume")
    both = _paired(first, second).join(wrong, on=KEY, how="anti")
    known = both.select(
        *KEY,
        price=pl.col("a_close") / pl.col("b_close"),
        shares=pl.when(volumes.is_finite() & (volumes > 0)).then(volumes),
    )
    unknown = moved.select(*KEY, price=pl.lit(None, pl.Float64), shares=pl.lit(None, pl.Float64))
    middle = [
        pl.col(c).rolling_median(11, min_samples=1, center=True).over("symbol")
        for c in ("price", "shares")
    ]
    scale = pl.concat([known, unknown]).sort(KEY).with_columns(middle)
    return scale.filter(pl.col("price").is_not_null())


def _paired(first: pl.DataFrame, second: pl.DataFrame) -> pl.DataFrame:
    frames = []
    for name, bars in (("a", first), ("b", second)):
        missing = [c for c in NEEDED if c not in bars.columns]
        if missing:
            raise SchemaViolation("bars", f"columns are missing: {', '.join(missing)}")
        if bars.select(pl.struct(KEY).is_duplicated().any()).item():
            raise SchemaViolation("bars", "a symbol has two bars in one session")
        rest = [pl.col(c).alias(f"{name}_{c}") for c in NEEDED if c not in KEY]
        frames.append(bars.filter(pl.col("close") > 0).select(*KEY, *rest))
    return frames[0].join(frames[1], on=KEY).sort(KEY)


def _around(x: pl.Expr) -> pl.Expr:
    """Return the median of `x` over two rows on each side, the row itself left out."""
    return _middle(x, (-2, -1, 1, 2))


def _middle(x: pl.Expr, rows: tuple[int, ...]) -> pl.Expr:
    """Return the median of `x` over the `rows` before (after, if negative) in the same symbol."""
    return (
        pl.concat_list(*(x.shift(k).over("symbol") for k in rows)).list.drop_nulls().list.median()
    )


def _grain(name: str) -> pl.Expr:
    """Return the decimal grid of a price over the price."""
    x = pl.col(name)
    step = pl.lit(1e-5)
    for digits in (4, 3, 2, 1, 0):
        on = (x * 10**digits - (x * 10**digits).round()).abs() < 1e-3  # noqa: PLR2004
        step = pl.when(on).then(pl.lit(10.0**-digits)).otherwise(step)
    return step.rolling_median(11, min_samples=1, center=True).over("symbol") / x


def _action(side: str) -> pl.Expr:
    """Return the log return that the told actions take out of a source's own prices."""
    split = pl.col(f"{side}_split_ratio").log()
    paid = (pl.col(f"{side}_dividend_usd") / pl.col(f"{side}_close")).clip(0, 10).log1p()
    kind = pl.col(f"{side}_adjustment")
    return (
        pl.when(kind == "none").then(split + paid).when(kind == "splits").then(paid).otherwise(0.0)
    )


def _level(side: str) -> pl.Expr:
    return pl.col(f"{side}_close").log() + _action(side).cum_sum().over("symbol")


def _copied(side: str) -> pl.Expr:
    """Return 1.0 where a source's whole bar is that of the session before or after, else 0.0."""
    same = []
    for k in (1, -1):
        prices = [pl.col(f"{side}_{c}") for c in (*RANGE, "close")]
        equal = [(x / x.shift(k).over("symbol") - 1).abs() < 1e-6 for x in prices]  # noqa: PLR2004
        same.append(pl.all_horizontal(equal))
    return pl.any_horizontal(same).fill_null(value=False).cast(pl.Float64)


def _moves(both: pl.DataFrame) -> pl.DataFrame:
    """Add how the ratio of the levels and each level move, and which bars are copies."""
    rows = both.with_columns(
        la=_level("a"), lb=_level("b"), grain=_grain("a_close") + _grain("b_close")
    )
    ratio, la, lb = pl.col("la") - pl.col("lb"), pl.col("la"), pl.col("lb")
    return rows.with_columns(
        away=ratio - _around(ratio),
        step=ratio - ratio.shift(1).over("symbol"),
        kept=_middle(ratio, (0, -1, -2)) - _middle(ratio, (1, 2, 3)),
        back=ratio.shift(-1).over("symbol") - ratio,
        off_a=(la - _around(la)).abs() + _copied("a"),
        off_b=(lb - _around(lb)).abs() + _copied("b"),
        move_a=(la - la.shift(1).over("symbol")).abs(),
        move_b=(lb - lb.shift(1).over("symbol")).abs(),
    )


def _closes(both: pl.DataFrame, policy: QualityPolicy) -> pl.DataFrame:
    least = pl.max_horizontal(
        pl.lit(policy.disagree_level), policy.disagree_ticks * pl.col("grain")
    )
    far = [pl.col(c).abs() > least for c in ("away", "step", "back")]
    brief = pl.all_horizontal(far) & (pl.col("step").sign() != pl.col("back").sign())
    lasting = (pl.col("step").abs() > policy.disagree_step) & (
        pl.col("kept").abs() > 0.5 * pl.col("step").abs()
    )
    rows = _moves(both).with_columns(brief=brief.fill_null(value=False))
    rows = rows.filter(pl.col("brief") | lasting.fill_null(value=False)).with_columns(
        x=pl.when("brief").then("off_a").otherwise("move_a"),
        y=pl.when("brief").then("off_b").otherwise("move_b"),
        size=pl.when("brief").then("away").otherwise("step"),
    )
    words = pl.format(
        "the ratio of the two closes ({} and {}) moves by {} %, {}",
        pl.col("a_close").round(4),
        pl.col("b_close").round(4),
        (pl.col("size") * 100).round(2),
        pl.when("brief").then(pl.lit("for a day")).otherwise(pl.lit("for good")),
    )
    return _flags(rows, "close", words, pl.col("size").abs() / policy.disagree_level, policy)


def _ranges(both: pl.DataFrame, name: str, policy: QualityPolicy) -> pl.DataFrame:
    a, b = ((pl.col(f"{s}_{name}") / pl.col(f"{s}_close")).log() for s in "ab")
    told = (pl.col(f"a_{name}") > 0) & (pl.col(f"b_{name}") > 0)
    rows = both.filter(told).with_columns(x=a.abs(), y=b.abs(), size=a - b)
    rows = rows.filter(pl.col("size").abs() > policy.disagree_range)
    words = pl.format(
        "{} over close differs by {} % between the sources",
        pl.lit(name),
        (pl.col("size") * 100).round(1),
    )
    return _flags(rows, name, words, pl.col("size").abs() / policy.disagree_range, policy)


def _volumes(both: pl.DataFrame, policy: QualityPolicy) -> pl.DataFrame:
    rows = both.with_columns(va=pl.col("a_volume").log1p(), vb=pl.col("b_volume").log1p())
    ratio = pl.col("va") - pl.col("vb")
    rows = rows.with_columns(
        size=ratio - _around(ratio),
        x=(pl.col("va") - _around(pl.col("va"))).abs(),
        y=(pl.col("vb") - _around(pl.col("vb"))).abs(),
    ).filter(pl.col("size").abs() > policy.disagree_volume)
    words = pl.format(
        "volume {} and {}: the ratio leaves its neighbours {} times",
        pl.col("a_volume").round(0),
        pl.col("b_volume").round(0),
        pl.col("size").abs().exp().round(1),
    )
    return _flags(rows, "volume", words, pl.col("size").abs() / policy.disagree_volume, policy)


def _untold(first: pl.DataFrame, second: pl.DataFrame) -> pl.DataFrame:
    life = first.group_by("symbol").agg(begin=pl.col("session").min(), end=pl.col("session").max())
    rows = second.join(life, on="symbol").filter(pl.col("session").is_between("begin", "end"))
    return rows.join(first, on=KEY, how="anti").select(
        *KEY,
        kind=pl.lit("source_disagreement"),
        field=pl.lit(""),
        severity=pl.lit("suspect"),
        score=pl.lit(1.0),
        detail=pl.lit("only the second source has a bar on this session"),
    )


def _flags(
    rows: pl.DataFrame, field: str, words: pl.Expr, score: pl.Expr, policy: QualityPolicy
) -> pl.DataFrame:
    """Say who is wrong: the one that lies farther from its own neighbours, `x` first, `y` second."""
    lead = policy.disagree_lead
    ours, theirs = pl.col("x") > lead * pl.col("y"), pl.col("y") > lead * pl.col("x")
    who = (
        pl.when(ours)
        .then(pl.lit("the first is the odd one"))
        .when(theirs)
        .then(pl.lit("the second is the odd one"))
        .otherwise(pl.lit("neither is the odder one"))
    )
    return rows.select(
        *KEY,
        kind=pl.lit("source_disagreement"),
        field=pl.lit(field),
        severity=pl.when(ours)
        .then(pl.lit("fault"))
        .when(theirs)
        .then(pl.lit("note"))
        .otherwise(pl.lit("suspect")),
        score=score.clip(0, 1e6),
        detail=pl.format("{}; {}", words, who),
    )
