"""Which release answers for which symbol, and from which features: one immutable snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from bellwether.core.errors import (
    ArtifactError,
    BellwetherError,
    MissingRecord,
    StorageError,
    UnknownName,
)
from bellwether.core.ports import Ports, ReleaseRow
from bellwether.core.types import Adjustment, FeatureVector, Skill
from bellwether.inference.reads import Reads, reads, usual
from bellwether.inference.release import Served, serve
from bellwether.inference.standing import UNASKED, Standing, held_back, standings
from bellwether.inference.texts import read_view, scores

Vectors = Mapping[tuple[str, str], FeatureVector]
"""By symbol and the name under which a view is kept."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What can be answered. `answering` maps (symbol, horizon) to a release id.

    `watermarks` say up to when each view that is read was materialised. `vectors` are what that
    left, for when the online store has nothing or is away; `given` says whether the online store
    has them. `adjusted` names the symbols whose bars did not arrive as traded. `faults` say what
    could not be read. `standings` are what the gates said of releases, `held` which may not answer.
    """

    symbols: tuple[str, ...]
    releases: Mapping[str, Served]
    answering: Mapping[tuple[str, int], str]
    watermarks: Mapping[str, datetime]
    vectors: Vectors
    given: bool
    adjusted: Mapping[str, str]
    faults: tuple[str, ...]
    standings: Mapping[str, Standing] = field(default_factory=dict)
    held: Mapping[tuple[str, int], str] = field(default_factory=dict)

    def standing(self, release_id: str) -> Standing:
        """Return how a release stands by the gates."""
        return self.standings.get(release_id, UNASKED)

    def skill(self, served: Served, symbol: str) -> Skill | None:
        """Return the skill of a release on a symbol; None where it was never scored there."""
        found = served.skill.get(symbol)
        return None if found is None else self.standing(served.release_id).skill(found)

    @property
    def watermark(self) -> datetime | None:
        """Up to when the view that is always materialised was."""
        return self.watermarks.get(usual().name)

    @property
    def reads(self) -> tuple[Reads, ...]:
        """The views that are read here: the one that always is, then those of releases."""
        return tuple(r for name in _names(self.releases) if (r := reads(name)) is not None)

    def reads_for(self, symbol: str) -> Reads:
        """Return the view that the symbol's release with the nearest horizon reads."""
        horizons = sorted(h for s, h in self.answering if s == symbol)
        return self.release_for(symbol, horizons[0]).reads if horizons else usual()

    def release_for(self, symbol: str, horizon: int) -> Served:
        """Return the release that answers.

        Raises
        ------
        UnknownName
            If the symbol has no bars here.
        MissingRecord
            If no release covers the symbol at this horizon.
        """
        found = self.answering.get((symbol, horizon))
        if found is not None:
            return self.releases[found]
        if symbol not in self.symbols:
            raise UnknownName("symbol", symbol, self.symbols, "Ingest its bars first.")
        held = self.held.get((symbol, horizon))
        raise MissingRecord(
            "release",
            f"{symbol} at a horizon of {horizon} sessions" + (f" ({held})" if held else ""),
            f"bellwether train --horizon {horizon}",
        )


def read(ports: Ports, before: Catalogue | None = None) -> Catalogue:
    """Load what is new since `before`: releases are warm before the snapshot is taken.

    The newest release that covers a symbol at a horizon, reads a view that is computed here and may
    answer by its standing, answers for it. One that cannot be loaded is named in `faults`, and the next newest answers;
    so is a lake that is away, and what was known before stands.

    Raises
    ------
    StorageError
        If the database cannot say which releases and features there are.
    """
    faults: list[str] = []
    standing, rows = standings(ports.ledger), ports.ledger.releases()
    may = [r for r in rows if standing.get(r.release_id, UNASKED).answers]
    answering, loaded = _releases(may, ports, dict(before.releases) if before else {}, faults)
    used = set(answering.values())
    releases = {k: v for k, v in loaded.items() if k in used}
    made = {name: ports.ledger.newest_materialisation(name) for name in _names(releases)}
    built = {name: row.watermark for name, row in made.items() if row is not None}
    known = (before.watermarks, before.vectors, before.given) if before else ({}, {}, True)
    symbols = before.symbols if before else tuple(sorted({s for s, _ in answering}))
    watermarks, vectors, given = known
    try:
        symbols = tuple(ports.lake.symbols())
        vectors, given = _vectors(built, known, ports)
        watermarks = built
    except StorageError as error:
        faults.append(str(error))
    if not given:
        given = _give(ports, vectors, faults)
    same = before is not None and before.vectors is vectors
    adjusted = before.adjusted if same and before else _adjusted(vectors)
    return Catalogue(
        symbols,
        releases,
        answering,
        watermarks,
        vectors,
        given,
        adjusted,
        tuple(faults),
        standing,
        held_back(rows, standing),
    )


def _names(releases: Mapping[str, Served]) -> list[str]:
    """List what is read: the view that always is, then those of releases."""
    return list(dict.fromkeys([usual().name, *sorted(r.kept for r in releases.values())]))


def _vectors(
    built: Mapping[str, datetime],
    known: tuple[Mapping[str, datetime], Vectors, bool],
    ports: Ports,
) -> tuple[Vectors, bool]:
    """Load the newest vectors of each view that was materialised anew."""
    old, vectors, given = known
    anew = [name for name, watermark in built.items() if old.get(name) != watermark]
    if not anew and old.keys() <= built.keys():
        return vectors, given
    found = {k: v for k, v in vectors.items() if k[1] in built and k[1] not in anew}
    for name in anew:
        found |= {(v.symbol, name): v for v in ports.features.latest(name, built[name])}
    return found, given and not anew


def _adjusted(vectors: Vectors) -> dict[str, str]:
    """Tell which bars did not arrive as traded from the view that tells all adjustments apart."""
    plain, name = usual().view, usual().name
    told = {
        symbol: plain.adjustment_of(np.frombuffer(v.values, dtype="<f8"))
        for (symbol, kept), v in vectors.items()
        if kept == name
    }
    return {s: how for s, how in told.items() if how not in (None, Adjustment.NONE)}


def newer(one: FeatureVector, other: FeatureVector) -> bool:
    """Say whether `one` is of a later session than `other`, or of the same and a later watermark."""
    return (one.session, one.watermark) > (other.session, other.watermark)


def _give(ports: Ports, vectors: Vectors, faults: list[str]) -> bool:
    try:
        ports.online.put(list(vectors.values()))
    except StorageError as error:
        faults.append(f"online store: {error}")
        return False
    return True


def _releases(
    rows: Sequence[ReleaseRow], ports: Ports, loaded: dict[str, Served], faults: list[str]
) -> tuple[dict[tuple[str, int], str], dict[str, Served]]:
    answering: dict[tuple[str, int], str] = {}
    for row in rows:
        wanted = [(s, row.horizon_sessions) for s in row.symbols]
        wanted = [key for key in wanted if key not in answering]
        if not wanted:
            continue
        served = loaded.get(row.release_id) or _load(row, ports, faults)
        if served is None:
            continue
        found = reads(served.kept)
        if found is None or not scores(found.view, ports):
            faults.append(f"{row.release_id} reads {served.view}, {_instead(served.view, ports)}")
            continue
        loaded[row.release_id] = served
        answering |= dict.fromkeys(wanted, row.release_id)
    return answering, loaded


def _instead(version: str, ports: Ports) -> str:
    name = version.partition("@")[0]
    try:
        return f"this version computes {read_view(name, ports).version}"
    except BellwetherError:
        return "which this version does not compute"


def _load(row: ReleaseRow, ports: Ports, faults: list[str]) -> Served | None:
    try:
        return serve(ports.releases.load(row.release_id))
    except (ArtifactError, MissingRecord) as error:
        faults.append(str(error))
    except BellwetherError as error:
        faults.append(f"{row.release_id}: {error}")
    return None
