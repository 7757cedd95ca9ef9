"""Measure how often the gates are wrong: false passes, false refusals, and power."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import polars as pl

from bellwether.core.errors import InvalidRequest
from bellwether.core.ports import Ports, Progress, SourceQuery, quiet
from bellwether.evaluation.gate_earned import Earned
from bellwether.evaluation.gate_fairness import bias, calibration
from bellwether.evaluation.gate_policy import Policy
from bellwether.evaluation.gate_shifted import Real, moved
from bellwether.evaluation.gate_skill import skill_verdicts
from bellwether.evaluation.gate_worlds import World, drawn, said_and_served
from bellwether.evaluation.intervals import wilson
from bellwether.features.adjust import adjust_forward
from bellwether.features.catalog import technical
from bellwether.features.history import feature_frame
from bellwether.features.labels import open_to_open
from bellwether.pipelines.gates_cases import CALIBRATED, CASES, SHUFFLED, UNBIASED, Case

SKILL = 3
BATCH = 25
LEAST_SHIFT = 30


@dataclass(frozen=True, slots=True)
class CalibrateConfig:
    """How the gates are measured: under this policy, exactly as `gates check` asks them.

    `quick` looks far less often, at the main cases only. `share` below 1 looks so much less often, at
    the cases of which something is stated: enough to see a level that is far exceeded.
    """

    policy: Policy = field(default_factory=Policy)
    seed: int = 0
    workers: int = 1
    quick: bool = False
    share: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise InvalidRequest("share", f"is {self.share}, must be above 0 and at most 1")
        if self.seed < 0 or self.workers < 1:
            raise InvalidRequest(
                "seed, workers", f"{self.seed} and {self.workers}: 0 and 1 at least"
            )

    def looks(self, case: Case) -> int:
        """Return how often a case is looked at."""
        if self.quick:
            return case.quick
        if self.share < 1 and case.stated is None:
            return 0
        return round(self.share * case.n)


@dataclass(frozen=True, slots=True)
class Measured:
    """One row of the table: how often the decision was `passed` (or refused), of `n`.

    `low` and `high` are Wilson's 95 % interval, `parts` how often each gate of skill passed alone.
    `holds` is False where the whole interval lies on the wrong side of what is stated.
    """

    name: str
    words: str
    kind: str
    stated: float | None
    rate: float
    low: float
    high: float
    n: int
    parts: dict[str, float]
    holds: bool


@dataclass(frozen=True, slots=True)
class CalibrateReport:
    """What was measured, how long it took, and on how many processes.

    `cpu_seconds` is the processors' time for the draws, all processes together: what `seconds` would
    be on one processor with nothing else to do.
    """

    rows: tuple[Measured, ...]
    seconds: float
    cpu_seconds: float
    workers: int
    seed: int
    level: float
    reps: int
    quick: bool

    @property
    def holds(self) -> bool:
        """Whether every stated level and goal holds, but for chance."""
        return all(row.holds for row in self.rows)

    def lines(self) -> list[str]:
        """Say it as a table that reads as text and as Markdown."""
        told = [
            "| case | | stated | measured | 95 % interval | n | |",
            "|---|---|---|---|---|---|---|",
        ]
        for r in self.rows:
            sign = "at least" if r.kind == "power" else "at most"
            stated = "-" if r.stated is None else f"{sign} {r.stated:.0%}"
            verdict = "" if r.stated is None else ("holds" if r.holds else "EXCEEDED")
            told.append(
                f"| {r.name} | {r.kind} | {stated} | {r.rate:.1%} | {r.low:.1%} to {r.high:.1%} | "
                f"{r.n:,} | {verdict} |"
            )
        told.append("")
        told.append(
            f"Level {self.level:g}, seed {self.seed}, {self.reps} bootstrap samples a decision, "
            f"{self.seconds:.0f} s on {self.workers} process{'es' * (self.workers != 1)}, "
            f"{self.cpu_seconds:.0f} s of processor time."
        )
        return told

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        return asdict(self) | {"holds": self.holds}


def run(config: CalibrateConfig, ports: Ports, progress: Progress = quiet) -> CalibrateReport:
    """Draw every case as often as it says, ask the gates, and count.

    The same seed gives the same table, on however many processes.

    Raises
    ------
    UnreadableFile
        If the sample is not installed.
    """
    started = ports.wall.now()
    cases = [(i, c, config.looks(c)) for i, c in enumerate(CASES)]
    cases = [told for told in cases if told[2] > 0]
    real = sample(ports)
    rows, spent = [], 0.0
    for done, (at, case, n) in enumerate(cases):
        progress("Measuring the gates", done, len(cases))
        told, took = _counted(at, case, n, real, config)
        rows.append(_measured(case, told))
        spent += took
    progress("Measuring the gates", len(cases), len(cases))
    seconds = (ports.wall.now() - started).total_seconds()
    level, reps = config.policy.level, config.policy.reps
    return CalibrateReport(
        tuple(rows), seconds, spent, config.workers, config.seed, level, reps, config.quick
    )


def sample(ports: Ports) -> Real:
    """Return features and outcomes of the installed sample, as the platform computes them."""
    batch = ports.sources["sample"].read(SourceQuery(), ports.wall.now())
    frames = []
    view = technical()
    for _, bars in batch.bars.sort("symbol", "session").group_by("symbol", maintain_order=True):
        series = adjust_forward(bars, ports.calendar)
        labels = open_to_open(series, 1, ports.calendar).select("symbol", "session", "log_return")
        told = feature_frame(view, series).slice(view.warm_up)
        frames.append(told.join(labels, on=["symbol", "session"], maintain_order="left"))
    rows = pl.concat(frames).drop_nulls("log_return")
    days, day = np.unique(rows["session"].to_numpy(), return_inverse=True)
    names, name = np.unique(rows["symbol"].to_numpy(), return_inverse=True)
    X = np.full((days.size, names.size, len(view.model_columns)), np.nan)
    y = np.full((days.size, names.size), np.nan)
    X[day, name] = rows.select(view.model_columns).to_numpy()
    y[day, name] = rows["log_return"].to_numpy()
    return Real(X, y)


def _counted(
    at: int, case: Case, n: int, real: Real, config: CalibrateConfig
) -> tuple[list[tuple[bool, ...]], float]:
    from joblib import Parallel, delayed

    seeds = np.arange(n)
    given = real if case.what == SHUFFLED else None
    parts = [seeds[i : i + BATCH].tolist() for i in range(0, n, BATCH)]
    jobs = (delayed(_looked)(at, case, part, given, config) for part in parts)
    found = Parallel(n_jobs=config.workers)(jobs)
    return [told for part, _ in found for told in part], sum(took for _, took in found)


def _looked(
    at: int, case: Case, numbers: Sequence[int], real: Real | None, config: CalibrateConfig
) -> tuple[list[tuple[bool, ...]], float]:
    """Ask the gates about some draws of a case; what each of them said, and the time it took."""
    from threadpoolctl import threadpool_limits

    begun = time.process_time()
    with threadpool_limits(1):
        told = list(_asked(at, case, numbers, real, config))
    return told, time.process_time() - begun


def _asked(
    at: int, case: Case, numbers: Sequence[int], real: Real | None, config: CalibrateConfig
) -> Iterator[tuple[bool, ...]]:
    for i in numbers:
        seed = (config.seed, at, i)
        if case.what in (CALIBRATED, UNBIASED):
            said, served = said_and_served(seed)
            asked = (
                calibration(said, config.policy)
                if case.what == CALIBRATED
                else bias(served, config.policy)
            )
            yield (asked.state == "failed",)
            continue
        evidence = _evidence(case, seed, real)
        yield tuple(v.state == "passed" for v in skill_verdicts(evidence, config.policy))


def _evidence(case: Case, seed: tuple[int, int, int], real: Real | None) -> Earned:
    if isinstance(case.what, World):
        return drawn(case.what, seed)
    if real is None:
        raise InvalidRequest("case", f"{case.name} needs the sample")
    rng = np.random.default_rng(seed)  # noqa: TID251 - of the run's seed
    return moved(real, int(rng.integers(LEAST_SHIFT, len(real.y) - LEAST_SHIFT)))


def _measured(case: Case, told: Sequence[tuple[bool, ...]]) -> Measured:
    found = np.array(told)
    hits, n = int(found.all(axis=1).sum()), len(found)
    low, high = wilson(hits, n) or (0.0, 1.0)
    names = ("beats_baselines", "deflated_sharpe", "stability")
    parts = (
        dict(zip(names, found.mean(axis=0).tolist(), strict=True)) if len(told[0]) == SKILL else {}
    )
    bad = case.stated is not None and (
        high < case.stated if case.kind == "power" else low > case.stated
    )
    return Measured(
        case.name, case.words, case.kind, case.stated, hits / n, low, high, n, parts, not bad
    )
