"""What an inspection found, as values: flags, rejected rows, shares, the gate."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime

SHOWN = 20
KEPT_SYMBOLS = 50
EXAMPLES = 3
ENOUGH = 1.0


@dataclass(frozen=True, slots=True)
class Flag:
    """One finding in the bars of a source (`first / second` where two disagree)."""

    symbol: str
    session: date
    kind: str
    field: str
    severity: str
    score: float
    detail: str
    source: str
    treatment: str


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One row in quarantine; `symbol` and `session` are None where nobody can tell them.

    `counts` says whether it counts against the share: its session is left without a bar.
    """

    location: str
    reason: str
    kind: str
    symbol: str | None
    session: date | None
    detail: str
    source: str
    counts: bool


@dataclass(frozen=True, slots=True)
class SymbolQuality:
    """One symbol: `bars` told, `judged` sessions (those, and what should have a bar), the faulty.

    `share` is the fraction of judged sessions without fault, in [0, 1]. `counts` are flags and
    rejected rows by kind, `faults` only those that count against the share.
    """

    symbol: str
    bars: int
    judged: int
    faulty: int
    share: float
    counts: dict[str, int]
    faults: dict[str, int]

    def line(self) -> str:
        """Say it in words."""
        kinds = ", ".join(f"{n} {kind}" for kind, n in self.faults.items())
        return f"{self.symbol} {percent(self.share)} of {self.judged:,} without fault ({kinds})"


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether the bars may be trained on: the share of each symbol and of all is at least `bar`."""

    passed: bool
    bar: float
    share: float
    failing: tuple[SymbolQuality, ...]
    passes_when: str

    @property
    def verdict(self) -> str:
        """Name the verdict."""
        return "passed" if self.passed else "refused"

    def lines(self) -> list[str]:
        """Say what fails, symbol by symbol."""
        if self.passed:
            return []
        whole = f"all symbols together {percent(self.share)}"
        return [*(s.line() for s in self.failing), *([whole] if self.share < self.bar else [])]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Closes of one symbol on the share basis of its last session, for a picture."""

    symbol: str
    sessions: tuple[date, ...]
    closes: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class QualityReport:
    """What one inspection found.

    Flags are sorted worst first: severity, then score. `counts` are flags and rejected rows by
    kind. `since` is the first day that counts, None where nothing was left out. `judged`, `faulty` and `share` count each session of each symbol once.
    """

    as_of: date
    since: date | None
    watermark: datetime | None
    sources: tuple[str, ...]
    bars: int
    judged: int
    faulty: int
    share: float
    counts: dict[str, int]
    symbols: tuple[SymbolQuality, ...]
    flags: tuple[Flag, ...]
    rejected: tuple[RejectedRow, ...]
    policy: Mapping[str, object]
    gate: Gate
    drawn: tuple[Drawn, ...] = field(default=(), repr=False)

    @property
    def severities(self) -> dict[str, int]:
        """Count flags by severity."""
        found = dict.fromkeys(("fault", "suspect", "note"), 0)
        for flag in self.flags:
            found[flag.severity] += 1
        return found

    def as_json(self) -> dict[str, object]:
        """Return all of it, JSON-ready; dates are ISO."""
        return {
            "verdict": self.gate.verdict,
            "as_of": str(self.as_of),
            "since": None if self.since is None else str(self.since),
            "watermark": self.watermark.isoformat() if self.watermark else None,
            "sources": list(self.sources),
            "bars": self.bars,
            "judged": self.judged,
            "faulty": self.faulty,
            "share": self.share,
            "symbols": [asdict(s) for s in self.symbols],
            "counts": self.counts,
            "severities": self.severities,
            "flags": [asdict(f) | {"session": str(f.session)} for f in self.flags],
            "rejected": [
                asdict(r) | {"session": None if r.session is None else str(r.session)}
                for r in self.rejected
            ],
            "gate": asdict(self.gate) | {"verdict": self.gate.verdict},
            "policy": dict(self.policy),
        }

    def summary(self) -> dict[str, object]:
        """Return what the ledger keeps: no single flag, and the worst symbols only."""
        worst = sorted(self.symbols, key=lambda s: (s.share, s.symbol))[:KEPT_SYMBOLS]
        return {
            "as_of": str(self.as_of),
            "since": None if self.since is None else str(self.since),
            "bars": self.bars,
            "judged": self.judged,
            "faulty": self.faulty,
            "share": self.share,
            "flags": len(self.flags),
            "rejected": len(self.rejected),
            "severities": self.severities,
            "counts": self.counts,
            "symbols": len(self.symbols),
            "worst": [asdict(s) for s in worst if s.faulty],
            "gate": asdict(self.gate),
            "policy": dict(self.policy),
        }

    def brief(self) -> str:
        """Say it in one line."""
        if self.judged == 0:
            return "no bars to judge"
        levels = ", ".join(f"{n:,} {name}" for name, n in self.severities.items())
        passes = "passes" if self.gate.passed else "refuses"
        gate = f"the gate at {percent(self.gate.bar)} {passes}"
        return (
            f"{len(self.flags):,} flags ({levels}) and {len(self.rejected):,} rejected rows in "
            f"{self.bars:,} bars of {len(self.symbols):,} symbols; {percent(self.share)} without "
            f"fault, {gate if self.since is None else f'from {self.since} on'}"
        )

    def lines(self, most: int | None = SHOWN) -> list[str]:
        """Say it in words: counts by kind, the worst flags (all where `most` is None), the gate."""
        told = [f"Quality as of {self.as_of}: {self.brief()}."]
        told += [f"  {kind:<24} {n:>8,}" for kind, n in self.counts.items()]
        worst = self.flags if most is None else self.flags[:most]
        if worst:
            told.append("All flags:" if len(worst) == len(self.flags) else "The worst:")
        told += [
            f"  {f.symbol:<8} {f.session}  {f.severity:<7} {f.kind:<20} {f.detail}" for f in worst
        ]
        rows = self.rejected if most is None else self._examples()
        if rows:
            told.append(
                "Rejected rows:" if len(rows) == len(self.rejected) else "Rejected, such as:"
            )
        told += [f"  {r.location}: {r.kind}: {r.detail}" for r in rows]
        if len(worst) < len(self.flags) or len(rows) < len(self.rejected):
            told.append("More with --all, all of it with --json, pictures with --html FILE.")
        if not self.gate.passed:
            failing = self.gate.lines()
            told.append("The gate refuses:")
            told += [f"  {line}" for line in failing[:SHOWN]]
            told += [f"  and {len(failing) - SHOWN} more"] if len(failing) > SHOWN else []
            told.append(f"It passes when {self.gate.passes_when}.")
        return told

    def _examples(self) -> tuple[RejectedRow, ...]:
        """Return the first rejected rows of each kind."""
        seen: Counter[str] = Counter()
        found = []
        for row in self.rejected:
            seen[row.kind] += 1
            if seen[row.kind] <= EXAMPLES:
                found.append(row)
        return tuple(sorted(found, key=lambda row: row.kind))


def percent(share: float) -> str:
    """Write a share so that what is not all never reads as 100 %."""
    text = f"{share:.2%}"
    return "99.99%" if share < ENOUGH and text == "100.00%" else text
