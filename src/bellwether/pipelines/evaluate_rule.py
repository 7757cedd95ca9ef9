"""Follow a trading rule over the prices in a file."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.rule_bootstrap import Chances, chances
from bellwether.evaluation.rule_record import Group, Record, Trial, record
from bellwether.pipelines.frames import Table, read_table
from bellwether.pipelines.periods import row_after, row_from

Json = dict[str, object]
Floats = NDArray[np.float64]

WARM_UPS = ("inside", "before")
OPTIONS = {
    name: f"--{name.replace('_', '-')}"
    for name in ("rule", "hold", "delay", "cost_bps", "side", "price", "reps", "seed", "bootstrap")
}


@dataclass(frozen=True, slots=True)
class RuleConfig:
    """The file, its columns, the rule, and which rows.

    `warm_up`: ``inside``, the rule's averages begin at the first row of the sample; ``before``,
    they use the rows of the file before it. `null` names the bootstrap, None for none.
    """

    frame: Path
    date: str
    price: str
    trial: Trial
    since: str | None = None
    until: str | None = None
    warm_up: str = "inside"
    null: str | None = None
    reps: int = 500
    seed: int = 0


@dataclass(frozen=True, slots=True)
class RuleReport:
    """What followed the rule's signals, with the dates as the file writes them."""

    trial: Trial
    first: str
    last: str
    warm_up: str
    found: Record
    chances: Chances | None

    def as_json(self) -> Json:
        """Return log returns as fractions a row."""
        found, buy, sell = self.found, self.found.buy, self.found.sell
        return {
            "rule": self.trial.rule.text,
            "hold": self.trial.hold or "variable",
            "delay": self.trial.delay,
            "warm_up": self.warm_up,
            "first": self.first,
            "last": self.last,
            "n_buy": buy.n,
            "n_sell": sell.n,
            "mean_buy": buy.mean,
            "mean_sell": sell.mean,
            "sd_buy": buy.sd,
            "sd_sell": sell.sd,
            "positive_buy": buy.positive,
            "positive_sell": sell.positive,
            "t_buy": buy.t,
            "t_sell": sell.t,
            "diff": found.diff,
            "t_diff": found.t_diff,
            "base": asdict(found.base),
            "strategy": {"side": self.trial.side, **asdict(found.followed)},
            "bootstrap": self.chances and asdict(self.chances),
        }

    def lines(self) -> list[str]:
        """Say it in words: returns in percent a row, or a holding period."""
        trial, found, base = self.trial, self.found, self.found.base
        held = "while it says so" if trial.hold is None else f"for {trial.hold} rows"
        late = f", {trial.delay} rows late" if trial.delay else ""
        what = f"{trial.rule.text}, held {held}{late}; {self.first} to {self.last}."
        diff, t = _percent(found.diff, 4), _plain(found.t_diff)
        rho = ", ".join(_plain(x, 3) for x in base.rho)
        shape = f"skewness {_plain(base.skew)}, kurtosis {_plain(base.kurtosis)}"
        return [
            f"{what} Log returns in percent.",
            "",
            f"{'':<10}  {'n':>7}  {'mean':>8}  {'sd':>7}  {'up':>6}  {'t':>6}",
            _line("buy", found.buy),
            _line("sell", found.sell),
            f"{'buy - sell':<10}  {'':>7}  {diff:>8}  {'':>7}  {'':>6}  {t:>6}",
            f"{'all rows':<10}  {base.n:>7}  {_percent(base.mean, 4):>8}  {_percent(base.sd, 3):>7}",
            "",
            f"All rows: {shape}, autocorrelations {rho}.",
            *self._money(),
        ]

    def _money(self) -> list[str]:
        money, c = self.found.followed, self.chances
        even = "none" if money.break_even_bps is None else f"{money.break_even_bps:.1f} bps"
        gross, net = _percent(money.mean, 4), _percent(money.net_mean, 4)
        earned = f"{gross} a row before costs, {net} at {money.cost_bps:g} bps one way"
        told = [
            f"Followed ({self.trial.side}): {earned}; holding made {_percent(money.hold_mean, 4)}.",
            f"Cost one way at which nothing is left: {even}.",
        ]
        if c is not None:
            shares = f"buys {_plain(c.buy, 3)}, sells {_plain(c.sell, 3)}"
            told.append(
                f"Share of {c.reps} {c.null} series as good: {shares}, both {_plain(c.diff, 3)}."
            )
        return told


def run(config: RuleConfig) -> RuleReport:
    """Read the prices and follow the rule.

    Raises
    ------
    UnreadableFile, UnknownName, InvalidRequest
        If the file, a column, a price or an option cannot be used.
    """
    if config.warm_up not in WARM_UPS:
        raise InvalidRequest("--warm-up", f"{config.warm_up!r} is none of {', '.join(WARM_UPS)}")
    if config.date == config.price:
        raise InvalidRequest("--price", f"{config.price!r} is the column of dates")
    table = read_table(config.frame, config.date, (config.price,))
    first, end = _sample(config, table)
    start = _known_from(config.price, table) if config.warm_up == "before" else first
    begin, prices = first - start, _prices(config.price, table, start, end)
    try:
        found = record(prices, config.trial, begin)
        simulated = None
        if config.null is not None:
            simulated = chances(
                prices,
                config.trial,
                null=config.null,
                reps=config.reps,
                seed=config.seed,
                begin=begin,
            )
    except InvalidRequest as error:
        raise InvalidRequest(OPTIONS.get(error.field, error.field), error.why) from error
    last = table.labels[end - 1]
    return RuleReport(config.trial, table.labels[first], last, config.warm_up, found, simulated)


def _sample(config: RuleConfig, table: Table) -> tuple[int, int]:
    there = np.flatnonzero(~np.isnan(table.columns[config.price]))
    first, end = int(there[0]), int(there[-1]) + 1
    if config.since is not None:
        first = max(first, row_from("--from", config.since, table.rows))
    if config.until is not None:
        end = min(end, row_after("--to", config.until, table.rows))
    if first >= end:
        known = f"{table.labels[there[0]]} to {table.labels[there[-1]]}"
        raise InvalidRequest("--from, --to", f"no price lies between them; the file has {known}")
    return first, end


def _known_from(name: str, table: Table) -> int:
    return int(np.flatnonzero(~np.isnan(table.columns[name]))[0])


def _prices(name: str, table: Table, begin: int, end: int) -> Floats:
    prices = table.columns[name][begin:end]
    bad = np.flatnonzero(~(prices > 0))
    if bad.size:
        when = table.labels[begin + int(bad[0])]
        raise InvalidRequest(name, f"is {prices[bad[0]]:g} at {when}; a price is positive")
    return prices


def _line(name: str, group: Group) -> str:
    return (
        f"{name:<10}  {group.n:>7}  {_percent(group.mean, 4):>8}  {_percent(group.sd, 3):>7}  "
        f"{_percent(group.positive, 1):>6}  {_plain(group.t):>6}"
    )


def _percent(value: float | None, digits: int) -> str:
    return _plain(None if value is None else 100 * value, digits)


def _plain(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
