"""Large steps of the price and what they are: a split untold or misdated, a break, or the truth.

A split, told or not, moves the open against the close before and leaves the day itself ordinary:
range, move from open to close and dollar volume are as usual. A real move of that size trades.
"""

from dataclasses import dataclass

import numpy as np

from bellwether.quality.found import Finding, price
from bellwether.quality.panel import Bools, Floats, Ints, Panel
from bellwether.quality.policy import QualityPolicy
from bellwether.quality.runs import median_at
from bellwether.quality.scale import Normal, log_or_nan, share_basis

USUAL = (2.0, 3.0, 4.0, 5.0, 10.0, 1.5)
RARE = (4 / 3, 1.25, 2.5, 5 / 3, 6.0, 7.0, 8.0, 15.0, 20.0, 25.0, 30.0, 50.0)
RATIOS = np.array([*USUAL, *RARE])
RATIO_LEAST, SURE_SIGMA, TOLD_LEAST = 0.17, 12.0, 0.09


@dataclass(frozen=True, slots=True)
class Steps:
    """Evidence about each row's step, shape (n,), natural logs; `loud` is dollar volume over usual.

    `kept` is the change of the level from the five rows before to the five from the row on,
    `shift` the change of the level of dollar volume, `still` a day of ordinary range, `quiet` one of
    ordinary volume too, `calm` quiet by far; `tick` is the price grid, `gap` the step of the open.
    """

    move: Floats
    kept: Floats
    loud: Floats
    shift: Floats
    still: Bools
    quiet: Bools
    calm: Bools
    sigma: Floats
    tick: Floats
    gap: Floats


def measure(panel: Panel, normal: Normal, tick: Floats, policy: QualityPolicy) -> Steps:
    """Measure the evidence that tells splits and breaks from news, where there is a step at all."""
    move = np.nan_to_num(normal.step - normal.market)
    rows = np.flatnonzero(
        (np.abs(move) > np.maximum(policy.jump_small, 3 * normal.sigma)) | (panel.split != 1)
    )
    dollars = log_or_nan(panel.volume * np.maximum(panel.close, 1e-9))
    usual = median_at(panel, dollars, rows, -10, -1)
    kept, loud, shift = (np.zeros(panel.rows) for _ in range(3))
    levels = [median_at(panel, normal.level, rows, *part) for part in ((-5, -1), (0, 4))]
    kept[rows] = np.nan_to_num(levels[1] - levels[0])
    loud[rows] = np.nan_to_num(dollars[rows] - usual)
    shift[rows] = np.nan_to_num(median_at(panel, dollars, rows, 1, 10) - usual)
    intraday = np.abs(np.nan_to_num(log_or_nan(panel.close) - log_or_nan(panel.open)))
    span = np.nan_to_num(normal.span, nan=1.0)
    within = intraday / normal.sigma
    still = (span < policy.quiet_span) & (within < policy.quiet_intraday)
    calm = (loud < policy.quiet_volume / 2) & (span < policy.quiet_span / 1.75)
    calm &= within < policy.quiet_intraday / 2
    opened = log_or_nan(panel.open) + share_basis(panel) - panel.lag(normal.close)
    gap = np.where(np.isfinite(opened), opened, move)
    grain = tick / np.maximum(panel.close, tick)
    quiet = still & (loud < policy.quiet_volume)
    return Steps(move, kept, loud, shift, still, quiet, calm, normal.sigma, grain, gap)


def ratio_of(size: float, slack: float) -> tuple[float, bool] | None:
    """Return the simple split ratio that a log step is, and whether it is a usual one.

    A fall by half is the ratio 2, a doubling the ratio 1/2.
    """
    away = np.abs(np.log(RATIOS) - abs(size))
    i = int(np.argmin(away))
    if away[i] > slack:
        return None
    ratio = float(RATIOS[i])
    return (ratio if size < 0 else 1 / ratio), i < len(USUAL)


def judge_steps(
    panel: Panel, normal: Normal, tick: Floats, skip: Bools, policy: QualityPolicy
) -> tuple[list[Finding], Floats]:
    """Judge every large step.

    Parameters
    ----------
    panel : Panel
        Bars with decimal slips undone.
    normal : Normal
        What is normal in them.
    tick : array of shape (n,)
        Grid of the prices, USD.
    skip : array of shape (n,)
        Rows whose step is explained elsewhere.
    policy : QualityPolicy
        The `jump_`, `quiet_` and `split_` thresholds.

    Returns
    -------
    tuple
        Findings, and for each row the log factor that brings it back to the level around, where a
        split was dated wrong.
    """
    steps = measure(panel, normal, tick, policy)
    told = np.where(panel.raw, np.log(panel.split), 0.0)
    size = np.abs(steps.move)
    large = size > np.maximum(policy.jump_least, policy.jump_sigma * steps.sigma)
    lasting = (np.sign(steps.kept) == np.sign(steps.move)) & (
        np.abs(steps.kept - steps.move) < 0.35 * size + 2 * steps.sigma
    )
    small = (size > np.maximum(policy.jump_small, 6 * steps.sigma)) & steps.calm & lasting
    absent = _absent(steps, told)
    seen = absent | (size > policy.jump_ticks * steps.tick)
    rows = np.flatnonzero((large | small | absent) & seen & ~skip)
    paired, mend, found = _misdated(panel, steps, told, absent, rows, policy)
    for row in rows.tolist():
        if row not in paired and lasting[row]:
            found += _single(steps, row, policy)
    return found, mend


def _absent(steps: Steps, told: Floats) -> Bools:
    """Tell where a split was told and the price did not step."""
    with np.errstate(invalid="ignore"):
        alone = np.abs(steps.move - told)
        return (
            (np.abs(told) > TOLD_LEAST)
            & (alone < 0.3 * np.abs(told) + 0.01)
            & (np.abs(steps.move) > 3 * steps.sigma)
        )


def _misdated(
    panel: Panel, steps: Steps, told: Floats, absent: Bools, rows: Ints, policy: QualityPolicy
) -> tuple[set[int], Floats, list[Finding]]:
    """Pair steps of a split ratio that are taken back within the reach, and told splits without."""
    paired: set[int] = set()
    mend = np.zeros(panel.rows)
    found: list[Finding] = []
    for a, row in enumerate(rows.tolist()):
        if row in paired:
            continue
        partner = _partner(panel, steps, absent, rows, a, policy)
        if partner is not None:
            mend[row:partner] = -steps.move[row]
            paired |= {row, partner}
            found += _two(panel, steps, told, absent, (row, partner))
        elif absent[row]:
            paired.add(row)
            ratio = float(panel.split[row])
            detail = (
                f"a split of {price(ratio)} is told, but the price steps by it neither here nor "
                f"within {policy.split_reach} rows: adjusted for already, or never done"
            )
            score = abs(steps.move[row]) / steps.sigma[row]
            found.append(
                Finding(row, "misdated_split", "split_ratio", "fault", float(score), detail)
            )
    return paired, mend, found


def _partner(
    panel: Panel, steps: Steps, absent: Bools, rows: Ints, a: int, policy: QualityPolicy
) -> int | None:
    """Return the next row whose step takes back that of ``rows[a]`` as a split would."""
    row = int(rows[a])
    for other in rows[a + 1 : a + 6].tolist():
        if panel.code[other] != panel.code[row] or other - row > policy.split_reach:
            return None
        slack = 4 * max(steps.sigma[row], steps.sigma[other]) + 0.03
        back = abs(steps.move[row] + steps.move[other]) < min(slack, 0.4 * abs(steps.move[row]))
        involved = bool(absent[row] or absent[other])
        simple = ratio_of(float(steps.move[row]), slack) is not None
        far = min(abs(steps.move[i]) / steps.sigma[i] for i in (row, other)) > policy.note_sigma
        untold = other - row > 1 and simple and far and steps.quiet[row] and steps.quiet[other]
        if back and (involved or untold):
            return int(other)
    return None


def _two(
    panel: Panel, steps: Steps, told: Floats, absent: Bools, pair: tuple[int, int]
) -> list[Finding]:
    found = []
    for row, other in (pair, pair[::-1]):
        here, there = panel.session[row], panel.session[other]
        if absent[row]:
            detail = (
                f"the split of {price(float(panel.split[row]))} told here steps in the price on "
                f"{there}"
            )
        else:
            ratio = float(np.exp(abs(steps.move[row])))
            where = f"a split told on {there}" if told[other] else f"a split dated {there}"
            detail = f"the price steps by {ratio:.3g} here and back on {there}: {where} belongs to {here}"
        score = float(abs(steps.move[row]) / steps.sigma[row])
        found.append(Finding(row, "misdated_split", "split_ratio", "fault", score, detail))
    return found


def _simple(steps: Steps, row: int) -> tuple[float, bool] | None:
    """Return the split ratio nearest to the step by close, by open or by level, if near enough."""
    if abs(steps.move[row]) <= RATIO_LEAST:
        return None
    slack = float(np.clip(2.5 * steps.sigma[row], 0.02, 0.06))
    sizes = [float(x[row]) for x in (steps.gap, steps.move, steps.kept)]
    matches = [m for size in sizes if (m := ratio_of(size, slack)) is not None]
    usual = [m for m in matches if m[1]]
    sure = steps.calm[row] and abs(steps.move[row]) > SURE_SIGMA * steps.sigma[row]
    return usual[0] if usual else matches[0] if matches and sure else None


def _single(steps: Steps, row: int, policy: QualityPolicy) -> list[Finding]:
    move, sigma = float(steps.move[row]), float(steps.sigma[row])
    score = abs(move) / sigma
    facts = (
        f"the level moves by {np.expm1(move):+.1%} for good; dollar volume is "
        f"{np.exp(steps.loud[row]):.1f} times the usual"
    )
    shift = float(steps.shift[row])
    apart = abs(shift) > policy.reuse_shift and abs(shift - steps.loud[row]) < 0.5 * abs(shift)
    if apart and steps.still[row] and score > policy.note_sigma:
        detail = f"{facts} and stays {np.exp(shift):.2g} times: another company under the name?"
        return [Finding(row, "ticker_reuse", "", "suspect", score, detail)]
    most = policy.quiet_volume if score > 2 * SURE_SIGMA else policy.split_volume
    silent = steps.quiet[row] and steps.loud[row] < most
    if not silent or score < policy.note_sigma:
        if score > policy.note_sigma and abs(move) > policy.jump_least:
            return [Finding(row, "outlier", "", "note", score, f"{facts}: a real extreme")]
        return []
    match = _simple(steps, row)
    if match is not None:
        ratio, usual = match
        detail = f"{facts}, the day is ordinary and no split is told: a split of {price(ratio)}"
        severity = "fault" if usual and score > SURE_SIGMA else "suspect"
        return [Finding(row, "missed_split", "split_ratio", severity, score, detail)]
    if not steps.calm[row]:
        return []
    detail = f"{facts}, the day is ordinary: no trade explains the step"
    return [Finding(row, "unexplained_jump", "close", "suspect", score, detail)]
