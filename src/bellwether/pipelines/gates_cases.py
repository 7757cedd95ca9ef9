"""What `gates calibrate` measures: each case a world, what is stated of it, and how often to look."""

from dataclasses import dataclass
from typing import Literal

from bellwether.evaluation.gate_worlds import World

Kind = Literal["false pass", "false refusal", "power"]
SHUFFLED, CALIBRATED, UNBIASED = "shuffled", "calibrated", "unbiased"
STATED = 0.05
GOAL = 0.5


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table.

    Attributes
    ----------
    name, words : str
        Of the row, and what is drawn.
    kind : str
        A false pass and a false refusal may be at most `stated`; a power has to be at least it, or
        is only told where None.
    what : World or str
        The world that is drawn, or the name of another source.
    n, quick : int
        How often, and with --quick.
    """

    name: str
    words: str
    kind: Kind
    stated: float | None
    what: World | str
    n: int
    quick: int


NOISE = (
    Case(
        "noise, 10 years",
        "one strategy without skill on 20 names; nothing was chosen",
        "false pass",
        STATED,
        World(years=10),
        1000,
        20,
    ),
    Case(
        "noise, 3 years",
        "the same over a short record",
        "false pass",
        STATED,
        World(years=3),
        2000,
        100,
    ),
    Case(
        "holds the market",
        "no skill, mostly long in a market with a true Sharpe ratio of 0.5",
        "false pass",
        STATED,
        World(years=10, market_sharpe=0.5, long_bias=1.0),
        1000,
        10,
    ),
    Case(
        "best of 2",
        "the better of two strategies without skill, both counted",
        "false pass",
        STATED,
        World(years=5, symbols=10, strategies=2),
        1000,
        10,
    ),
    Case(
        "best of 200",
        "the best of 200 strategies without skill over 5 years, all counted",
        "false pass",
        STATED,
        World(years=5, symbols=10, strategies=200),
        1000,
        10,
    ),
    Case(
        "best of 200 alike",
        "the same, signals with a correlation of 0.6",
        "false pass",
        STATED,
        World(years=5, symbols=10, strategies=200, alike=0.6),
        500,
        10,
    ),
    Case(
        "shuffled labels",
        "the sample's features, outcomes moved in a circle by whole dates, ridge refitted each year",
        "false pass",
        STATED,
        SHUFFLED,
        1000,
        20,
    ),
    Case(
        "calibrated chances",
        "chances that are true, 30 names that move together: refused by the gate calibration",
        "false refusal",
        STATED,
        CALIBRATED,
        400,
        10,
    ),
    Case(
        "groups alike",
        "calls as often right in all sectors, sizes and years: refused by the gate bias",
        "false refusal",
        STATED,
        UNBIASED,
        400,
        10,
    ),
)

_PLANTED = (
    (1.0, 20, 1, GOAL, 400, 0),
    (1.0, 20, 10, GOAL, 400, 10),
    (1.0, 20, 50, GOAL, 200, 0),
    (1.0, 20, 200, None, 200, 0),
    (0.5, 20, 10, None, 200, 0),
    (1.0, 10, 10, None, 200, 0),
    (2.0, 5, 10, None, 200, 0),
)
POWER = tuple(
    Case(
        f"Sharpe {sharpe:g}, {years} years, N {tried}",
        f"one strategy with a true net Sharpe ratio of {sharpe:g} among {tried} counted, in a market "
        "with 0.4",
        "power",
        goal,
        World(years=years, symbols=10, market_sharpe=0.4, strategies=tried, planted=sharpe),
        n,
        quick,
    )
    for sharpe, years, tried, goal, n, quick in _PLANTED
)
CASES = (*NOISE, *POWER)
