"""A tear sheet as a long backtest would give it, made of seeded noise."""

from datetime import date, timedelta

import numpy as np

from bellwether.reports.tearsheet_data import Curve, Point, Role, Table, TearSheet

FIRST = date(1980, 1, 2)
NASTY = "<script>alert(1)</script>"
CRISES = (
    ("1987 crash", date(1987, 10, 1), date(1988, 1, 29)),
    ("Dot-com", date(2000, 3, 24), date(2002, 10, 9)),
    ("Financial crisis", date(2007, 10, 9), date(2009, 3, 9)),
    ("Covid", date(2020, 2, 19), date(2020, 3, 23)),
    ("Rates", date(2022, 1, 3), date(2022, 10, 12)),
)
PLAYERS: tuple[tuple[str, Role, float], ...] = (
    ("Model", "model", 0.00042),
    ("Momentum 12-1", "baseline", 0.00036),
    ("Equal weight", "baseline", 0.0004),
    ("Always up", "baseline", 0.0003),
    ("Coin", "baseline", 0.0),
    ("S&P 500", "benchmark", 0.00038),
)


def weekdays(first: date, n: int) -> list[date]:
    days = (first + timedelta(days=i) for i in range(2 * n))
    return [day for day in days if day.weekday() < 5][:n]


def curve(name: str, role: Role, days: list[date], drift: float, seed: int) -> Curve:
    rng = np.random.default_rng(seed)
    market = np.random.default_rng(0).standard_t(4, len(days)) * 0.006
    calm = 1 + 1.5 * np.exp(-(((np.arange(len(days)) / len(days) - 0.63) / 0.03) ** 2))
    returns = drift + (0.7 * market + 0.005 * rng.standard_normal(len(days))) * calm
    wealth = np.cumprod(1 + np.clip(returns, -0.2, 0.2))
    n = min(252, max(len(days) - 1, 1))
    ones = np.ones(n) / n
    means = np.convolve(returns, ones, "valid")
    spread = np.sqrt(np.maximum(np.convolve(returns**2, ones, "valid") - means**2, 1e-12))
    sharpe = np.full(len(days), np.nan)
    sharpe[n - 1 :] = means / spread * np.sqrt(252)
    gross = 0.9 + 0.1 * np.sin(np.arange(len(days)) / 200) + 0.02 * rng.standard_normal(len(days))
    net = gross * (0.6 + 0.3 * np.sin(np.arange(len(days)) / 500 + seed))
    return Curve(
        name,
        role,
        days,
        wealth,
        wealth / np.maximum.accumulate(wealth) - 1,
        sharpe,
        gross,
        net,
        np.where(np.arange(len(days)) % 5 == 0, rng.gamma(2, 0.04, len(days)), 0.0),
    )


def by_month(one: Curve) -> list[tuple[int, int, float]]:
    ends: dict[tuple[int, int], float] = {}
    for day, worth in zip(one.sessions, one.series("wealth"), strict=True):
        ends[day.year, day.month] = float(worth)
    worths = [1.0, *ends.values()]
    return [(y, m, b / a - 1) for (y, m), a, b in zip(ends, worths[:-1], worths[1:], strict=True)]


def headline(curves: list[Curve]) -> Table:
    rows = []
    for one in curves:
        worth = one.series("wealth")
        years = len(worth) / 252
        daily = np.diff(worth) / worth[:-1]
        rows.append(
            (
                f"{one.name} ({one.role})",
                float(worth[-1] ** (1 / years) - 1),
                float(daily.std() * 252**0.5),
                float(daily.mean() / daily.std() * 252**0.5),
                None if one.role == "benchmark" else 0.41,
                float(one.series("drawdown").min()),
                float(worth[-1] * 1_000_000),
            )
        )
    columns = ("", "CAGR", "Volatility", "Sharpe", "Deflated Sharpe", "Max drawdown", "Ends with")
    formats = ("text", "pct", "pct", "num2", "num2", "pct", "usd")
    return Table("Headline", columns, rows, "After all costs; cash earns the bill rate.", formats)


def tables() -> list[Table]:
    rng = np.random.default_rng(5)
    names = [NASTY, *(f"SYM{i:03d}" for i in range(400))]
    symbols = [
        (
            s,
            int(rng.integers(200, 11000)),
            float(rng.normal(0.05, 0.2)),
            float(rng.normal(0.2, 0.5)),
            float(rng.normal(0, 0.01)) if i % 9 else None,
            float(rng.normal(0, 90000.0)),
        )
        for i, s in enumerate(names)
    ]
    years = [
        (str(y), *(float(v) for v in rng.normal(0.08, 0.15, 3)), float(rng.normal(0.02, 0.01)))
        for y in range(1980, 2025)
    ]
    costs = [
        ("Commission", 5.1, 0.0031, 182_000.0),
        ("Half-spread", 9.4, 0.0057, 341_500.0),
        ("Impact", 6.2, 0.0038, 220_044.0),
        ("Borrow", 1.1, 0.0007, 40_120.5),
    ]
    off = [
        ("All realism on", 0.061, 0.44, 0.0),
        ("Without impact", 0.065, 0.47, 0.03),
        ("Without borrow cost", 0.0617, 0.445, 0.005),
        ("Delisted symbols left out", 0.083, 0.6, 0.16),
        ("Lag 0", 4.1, 21.0, 20.56),
    ]
    return [
        Table("Year by year", ("Year", "Model", "Momentum 12-1", "S&P 500", "IC"), years, "", ("text", "pct", "pct", "pct", "num4")),
        Table(
            "Crisis windows",
            ("Window", "From", "To", "Model", "S&P 500"),
            [(n, a, b, -0.1 * i, -0.15 * i) for i, (n, a, b) in enumerate(CRISES)],
            formats=("text", "text", "text", "pct", "pct"),
        ),
        Table("Regimes", ("Regime", "Sessions", "Sharpe"), [("Calm", 8000, 0.6), ("Stress", 3000, -0.1)], "Of trailing volatility.", ("text", "int", "num2")),
        Table("What trading cost", ("Item", "Cost (bps of traded)", "Of equity a year", "In all"), costs, "", ("text", "bps", "pct", "usd")),
        Table("What if", ("Run", "CAGR", "Sharpe", "Difference"), off, "Each realism item switched off by itself.", ("text", "pct", "num2", "num2")),
        Table("Worst drawdowns", ("From", "Bottom", "Back", "Depth", "Sessions"), [(date(2007, 10, 9), date(2009, 3, 9), None, -0.55, 900), (date(1987, 8, 25), date(1987, 12, 4), date(1989, 7, 26), -0.33, 484)], "", ("text", "text", "text", "pct", "int")),
        Table("Symbol by symbol", ("Symbol", "Sessions", "Return a year", "Sharpe", "IC", "Profit"), symbols, "Every symbol that was ever held.", ("text", "int", "pct", "num2", "num4", "usd")),
    ]  # fmt: skip


def points(xs: list[float | str], ys: list[float], wide: float) -> list[Point]:
    return [
        Point(x, y, y - wide, y + wide, 1000 + i)
        for i, (x, y) in enumerate(zip(xs, ys, strict=True))
    ]


def tear_sheet(n: int = 11_000, *, lag_0: bool = False) -> TearSheet:
    """Make a sheet of `n` sessions from 1980 with six curves and 401 symbols."""
    days = weekdays(FIRST, n)
    curves = [
        curve(name, role, days, drift, 10 + i) for i, (name, role, drift) in enumerate(PLAYERS)
    ]
    told = [0.05 + 0.1 * i for i in range(10)]
    warnings = [
        "Switched off: borrow availability. Every short could be had.",
        "Survivorship: 12% of the names that were traded in 1980 have no record here.",
    ]
    if lag_0:
        warnings.append("Lag 0 was asked for: orders fill at the close that the forecast has seen.")
    return TearSheet(
        title="Ridge on 46 ETFs and 455 stocks",
        subtitle=f"{days[0]} to {days[-1]}, refit each year, long and short, filled at the next open",
        verdict=(
            "The model made no more than momentum after costs.",
            "Its Sharpe ratio of 0.44 is 0.02 above the best baseline; the interval of the difference is from -0.21 to 0.25.",
            "After 212 trials a ratio of 0.44 is what luck alone would show: the deflated Sharpe is 0.41 of 1.",
        ),
        warnings=warnings,
        facts=(("Universe", "501 symbols"), ("Sessions", f"{n:,}"), ("Trials counted", "212"), ("Break-even cost", "31 bps")),
        headline=headline(curves),
        curves=curves,
        monthly={one.name: by_month(one) for one in curves},
        calibration=points([*told], [0.5 + 0.35 * (t - 0.5) for t in told], 0.03),
        ic_by_horizon=points(["1", "5", "10", "21", "63"], [0.011, 0.016, 0.013, 0.004, -0.006], 0.007),
        quantiles=points([str(i) for i in range(1, 11)], [0.0001 * (i - 4.2) for i in range(10)], 0.0002),
        degradation=points([1.0, 2.0, 3.0, 4.0, 5.0], [0.02, 0.015, 0.009, 0.01, 0.004], 0.006),
        crises=CRISES,
        tables=tables(),
        provenance=(
            ("Result hash", "sha256:9f2c" + "ab01" * 15),
            ("Data watermark", "2026-11-24T12:00:00+00:00"),
            ("Version", "bellwether 0.2.0"),
            ("Command", "bellwether backtest --universe stocks --from 1980 --to 2024 --step 1y"),
        ),
    )  # fmt: skip


def bare(one: Curve | None = None) -> TearSheet:
    """Make the least that is a sheet, with one curve or none."""
    return TearSheet("Bare", "", (), (), (), Table("Headline", (), ()), curves=[one] if one else [])
