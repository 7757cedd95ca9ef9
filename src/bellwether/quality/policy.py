"""Every threshold of the detectors, named. Units stand with each; `sigma` is the local robust scale.

The local scale of a symbol is 1.4826 times the median absolute market-adjusted log return over
about a quarter, raised on days on which the whole cross-section moves more than usual.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QualityPolicy:
    """Thresholds, with defaults tuned on planted faults and on six real panels (docs/quality.md)."""

    scale_window: int = 63
    """Rows over which the local scale is taken, centred."""
    scale_floor: float = 0.003
    """Least daily scale (log return), so that a pegged price does not make every tick extreme."""
    cross_section: int = 8
    """Least symbols with a bar on a day before the day's median move is taken out."""

    gap_listed: int = 60
    """Missing sessions in a row up to which each is flagged; a longer gap is one flag."""
    gap_usual: float = 0.03
    """Share of sessions missing about a symbol's half year from which a hole is its nature: a note."""
    halt_sigma: float = 8.0
    """A move over a gap beyond this many sigma speaks for a trading halt, not a hole."""

    slip_slack: float = 0.25
    """How far (natural log) a price may lie from ten times its neighbours and still be a slip."""
    slip_run: int = 250
    """Longest stretch, in rows, of prices in another unit that is told from a change for good."""

    ohlc_slack: float = 2e-6
    """Relative contradiction that binary rounding explains; below, nothing is said."""
    ohlc_ticks: float = 1.5
    """Contradiction, in ticks of the local price grid, that decimal rounding explains: a suspect."""
    regime_rows: int = 21
    """Rows in a row with one and the same fault of a field from which it is a regime: one flag."""

    repeat_chance: float = 2e-6
    """Chance of a run of equal closes below which it is stale, not a coincidence."""
    repeat_bar: float = 2e-5
    """The same for whole bars of which at least three prices count as independent."""
    idle_rate: float = 0.01
    """Share of bars without trade in a symbol's quarter from which one more is its nature."""

    grid_rows: int = 12
    """Least rows in a row on a grid ten times coarser than the symbol's own to be a stretch."""
    grid_rows_fine: int = 25
    """The same for grids four to ten times coarser, such as nickels, which people like."""
    grid_noise: float = 0.05
    """Grid step in usual daily moves from which a stretch matters; below, it is a note."""
    grid_sigma: float = 1.0
    """Grid step over price, in sigma, from which returns of adjusted prices are artefacts."""
    grid_least: int = 63
    """Least length in rows of a stretch of such artefacts."""

    jump_least: float = 0.17
    """Least persistent log step that is judged as split, jump or real extreme."""
    jump_small: float = 0.10
    """Least log step for a jump on an entirely ordinary day."""
    jump_ticks: float = 6.0
    """The same in steps of the price grid: a penny is no split of a stock of five pennies."""
    jump_sigma: float = 5.0
    """The same in sigma: both must be passed."""
    quiet_volume: float = 1.4
    """Log dollar volume over its usual value up to which a day is quiet: news trades more."""
    split_volume: float = 0.6
    """The same for a split or a break: real falls of that size trade twice the dollars or more."""
    quiet_span: float = 3.5
    """High over low against its usual value up to which a day is quiet."""
    quiet_intraday: float = 4.0
    """Move from open to close, in sigma, up to which a day is quiet."""
    split_reach: int = 15
    """Rows around a told split in which its step in the prices is looked for."""
    note_sigma: float = 8.0
    """Moves beyond this many sigma are splits, breaks or, with the trade to show, real extremes."""

    spike_sigma: float = 6.0
    """Deviation from the neighbours, in sigma, of a price that is taken back the next session."""
    spike_least: float = 0.05
    """The same as log price: both must be passed."""
    spike_volume: float = 0.9
    """Log volume over its usual value up to which a spike that reverts is not believed."""
    open_sigma: float = 12.0
    """The same for an open alone: odd opening prints are often official."""
    shadow_sigma: float = 12.0
    """Reach of a high or low beyond open and close, in sigma, that is not believed."""

    dividend_evidence: float = 8.0
    """Log likelihood ratio for "no drop" against "dropped by the dividend"."""
    dividend_yield: float = 0.03
    """Least dividend over price for which a missing drop can be seen."""
    dividend_absurd: float = 0.35
    """Dividend over price that nothing but its drop makes believable."""

    volume_excess: float = 1.75
    """Log of volume over what the symbol, the day and the move explain, to be looked at at all."""
    volume_sure: float = 3.3
    """The same where it needs no other evidence (quiet days of ten times the volume are real)."""
    volume_rare: float = 2.6
    """The same, above, where only the symbol's own history speaks for a slip; days of a tenth of
    the volume are rare enough in truth that `volume_excess` does for them."""
    volume_tail: float = 0.6
    """The same over the symbol's own extremes (99.5 % of its days)."""
    volume_sigma: float = 4.5
    """The same against the symbol's own scatter: both must be passed."""
    volume_run: int = 250
    """Longest stretch, in rows, of volume in another unit."""

    reuse_gap: int = 20
    """Missing (or frozen) sessions from which another company may come back under the name."""
    reuse_shift: float = 1.6
    """Lasting change of log dollar volume with a step of the price, on a day like any other."""
    reuse_evidence: float = 9.0
    """Sum of squared scores of price, dollar volume and scale changes across the break."""

    disagree_level: float = 0.004
    """Departure of two sources' log level ratio from its neighbours from which they disagree."""
    disagree_ticks: float = 1.5
    """The same in the sum of both sources' grids: both must be passed."""
    disagree_step: float = 0.10
    """Lasting change of the ratio that no told action explains and a dividend hardly does."""
    disagree_range: float = 0.02
    """Difference of open, high or low over close between two sources."""
    disagree_volume: float = 1.1
    """Departure of the log volume ratio from its neighbours."""
    disagree_lead: float = 1.5
    """How much farther from its neighbours one source must lie to be the one that is wrong."""
