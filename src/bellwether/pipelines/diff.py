"""What differs between two builds: formulas, rows, and values to the bit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import numpy.typing as npt

from bellwether.core.errors import InvalidRequest, MissingRecord
from bellwether.core.ports import FeatureBuild, Ports

Vectors = dict[date, npt.NDArray[np.int64]]

NAMED = 2


@dataclass(frozen=True, slots=True)
class Change:
    """One feature whose values changed: in how many rows of how many symbols, and how far back."""

    feature: str
    rows: int
    symbols: int
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class DiffReport:
    """What differs from build `old` to build `new`; each is named by view and watermark."""

    old: str
    new: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    redefined: dict[str, tuple[str, str]]
    rows_added: int
    rows_removed: int
    rows_compared: int
    changes: tuple[Change, ...]

    def lines(self) -> list[str]:
        """Say it in words."""
        told = [f"From {self.old} to {self.new}:"]
        told += [f"  new feature {name}" for name in self.added]
        told += [f"  feature gone {name}" for name in self.removed]
        told += [f"  {name} was {a}, is {b}" for name, (a, b) in self.redefined.items()]
        told.append(
            f"  {self.rows_added:,} rows added, {self.rows_removed:,} gone, "
            f"{self.rows_compared:,} in both."
        )
        told += [
            f"  {c.feature}: {c.rows:,} rows of {c.symbols} symbols changed, {c.first} to {c.last}"
            for c in self.changes
        ]
        return told if self.changes else [*told, "  No value changed."]


def run(
    ports: Ports, names: Sequence[str], first: datetime | None, last: datetime | None
) -> DiffReport:
    """Compare two builds that are kept.

    Parameters
    ----------
    names : sequence of str
        One view (`returns`) or version, whose two newest builds are compared or those at the
        watermarks `first` and `last`; or two versions.

    Raises
    ------
    MissingRecord
        If there is no such build, or just one.
    InvalidRequest
        If more than two names are given.
    """
    old, new = _two(ports.features.builds(), names, first, last)
    before, after = dict(old.formulas), dict(new.formulas)
    both = [n for n in before if n in after]
    found: dict[str, list[tuple[str, date]]] = {}
    added = removed = compared = 0
    for symbol in _symbols(old, new, ports):
        a, b = _vectors(symbol, old, ports), _vectors(symbol, new, ports)
        added, removed = added + len(b.keys() - a.keys()), removed + len(a.keys() - b.keys())
        days = sorted(a.keys() & b.keys())
        compared += len(days)
        for name, day in _changed(days, a, b, before, after, both):
            found.setdefault(name, []).append((symbol, day))
    return DiffReport(
        _name(old),
        _name(new),
        tuple(n for n in after if n not in before),
        tuple(n for n in before if n not in after),
        {n: (before[n], after[n]) for n in both if before[n] != after[n]},
        added,
        removed,
        compared,
        tuple(_change(n, found[n]) for n in both if n in found),
    )


def _two(
    builds: Sequence[FeatureBuild],
    names: Sequence[str],
    first: datetime | None,
    last: datetime | None,
) -> tuple[FeatureBuild, FeatureBuild]:
    if not 1 <= len(names) <= NAMED:
        raise InvalidRequest("builds", f"{len(names)} names given; one view or two versions")
    if len(names) == NAMED:
        return _pick(builds, names[0], first), _pick(builds, names[1], last)
    mine = sorted(_of(builds, names[0]), key=lambda b: b.watermark)
    if first is None and last is None:
        if len(mine) < NAMED:
            why = f"a second build of {names[0]} ({len(mine)} kept)"
            raise MissingRecord("build", why, f"bellwether features build {names[0].split('@')[0]}")
        return mine[-2], mine[-1]
    newest = _pick(builds, names[0], last)
    if first is not None:
        return _pick(builds, names[0], first), newest
    earlier = [b for b in mine if b.watermark < newest.watermark]
    return (earlier[-1] if earlier else _pick([], names[0], None)), newest


def _of(builds: Sequence[FeatureBuild], name: str) -> list[FeatureBuild]:
    return [b for b in builds if b.view == name or b.view.split("@")[0] == name]


def _pick(builds: Sequence[FeatureBuild], name: str, at: datetime | None) -> FeatureBuild:
    found = [b for b in _of(builds, name) if at is None or b.watermark == at]
    if not found:
        where = name if at is None else f"{name} at {at.isoformat()}"
        raise MissingRecord(
            "build", where, f"bellwether features build {name.split('@', maxsplit=1)[0]}"
        )
    return max(found, key=lambda b: b.watermark)


def _name(build: FeatureBuild) -> str:
    return f"{build.view} of {build.watermark.isoformat()}"


def _symbols(old: FeatureBuild, new: FeatureBuild, ports: Ports) -> list[str]:
    newest = [*ports.features.latest(old.view, old.watermark)]
    newest += ports.features.latest(new.view, new.watermark)
    return sorted({v.symbol for v in newest})


def _vectors(symbol: str, build: FeatureBuild, ports: Ports) -> Vectors:
    rows = ports.features.history(symbol, build.view, build.watermark)
    pairs = zip(rows["session"], rows["values"], strict=True)
    return {day: np.frombuffer(values, dtype="<i8") for day, values in pairs}


def _changed(
    days: Sequence[date],
    a: Vectors,
    b: Vectors,
    before: dict[str, str],
    after: dict[str, str],
    both: Sequence[str],
) -> list[tuple[str, date]]:
    if not days or not both:
        return []
    left, right = list(before), list(after)
    was = np.stack([a[d] for d in days])[:, [left.index(n) for n in both]]
    now = np.stack([b[d] for d in days])[:, [right.index(n) for n in both]]
    rows, columns = np.nonzero(was != now)
    return [(both[j], days[i]) for i, j in zip(rows.tolist(), columns.tolist(), strict=True)]


def _change(name: str, found: Sequence[tuple[str, date]]) -> Change:
    days = [day for _, day in found]
    return Change(name, len(found), len({s for s, _ in found}), min(days), max(days))
