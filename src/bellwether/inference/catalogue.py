"""Which release answers for which symbol, and from which features: one immutable snapshot."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bellwether.core.errors import (
    ArtifactError,
    BellwetherError,
    MissingRecord,
    StorageError,
    UnknownName,
)
from bellwether.core.ports import Ports, ReleaseRow
from bellwether.core.types import FeatureVector
from bellwether.features.catalog import technical
from bellwether.inference.release import Served, serve


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What can be answered. `answering` maps (symbol, horizon) to a release id.

    `vectors` are what the newest materialisation left, for when the online store has nothing or
    is away; `given` says whether the online store has them. `faults` say what could not be read.
    """

    symbols: tuple[str, ...]
    releases: Mapping[str, Served]
    answering: Mapping[tuple[str, int], str]
    watermark: datetime | None
    vectors: Mapping[str, FeatureVector]
    given: bool
    faults: tuple[str, ...]

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
        raise MissingRecord(
            "release",
            f"{symbol} at a horizon of {horizon} sessions",
            f"bellwether train --horizon {horizon}",
        )


def read(ports: Ports, before: Catalogue | None = None) -> Catalogue:
    """Load what is new since `before`: releases are warm before the snapshot is taken.

    The newest release that covers a symbol at a horizon and reads the present feature view
    answers for it. One that cannot be loaded is named in `faults`, and the next newest answers;
    so is a lake that is away, and what was known before stands.

    Raises
    ------
    StorageError
        If the database cannot say which releases and features there are.
    """
    view = technical().version
    faults: list[str] = []
    answering, loaded = _releases(ports, dict(before.releases) if before else {}, faults)
    built = ports.ledger.newest_materialisation(view)
    watermark = built.watermark if built else None
    vectors, given = (before.vectors, before.given) if before else ({}, True)
    symbols = before.symbols if before else tuple(sorted({s for s, _ in answering}))
    try:
        symbols = tuple(ports.lake.symbols())
        if watermark and (before is None or before.watermark != watermark):
            found = ports.features.latest(view, watermark)
            vectors, given = {v.symbol: v for v in found}, False
    except StorageError as error:
        faults.append(str(error))
        watermark = before.watermark if before else None
    if not given:
        given = _give(ports, vectors, faults)
    used = set(answering.values())
    releases = {k: v for k, v in loaded.items() if k in used}
    return Catalogue(symbols, releases, answering, watermark, vectors, given, tuple(faults))


def newer(one: FeatureVector, other: FeatureVector) -> bool:
    """Say whether `one` is of a later session than `other`, or of the same and a later watermark."""
    return (one.session, one.watermark) > (other.session, other.watermark)


def _give(ports: Ports, vectors: Mapping[str, FeatureVector], faults: list[str]) -> bool:
    try:
        ports.online.put(list(vectors.values()))
    except StorageError as error:
        faults.append(f"online store: {error}")
        return False
    return True


def _releases(
    ports: Ports, loaded: dict[str, Served], faults: list[str]
) -> tuple[dict[tuple[str, int], str], dict[str, Served]]:
    view = technical().version
    answering: dict[tuple[str, int], str] = {}
    for row in ports.ledger.releases():
        wanted = [(s, row.horizon_sessions) for s in row.symbols]
        wanted = [key for key in wanted if key not in answering]
        if not wanted:
            continue
        served = loaded.get(row.release_id) or _load(row, ports, faults)
        if served is None:
            continue
        if served.view != view:
            faults.append(f"{row.release_id} reads {served.view}, this version computes {view}")
            continue
        loaded[row.release_id] = served
        answering |= dict.fromkeys(wanted, row.release_id)
    return answering, loaded


def _load(row: ReleaseRow, ports: Ports, faults: list[str]) -> Served | None:
    try:
        return serve(ports.releases.load(row.release_id))
    except (ArtifactError, MissingRecord) as error:
        faults.append(str(error))
    except BellwetherError as error:
        faults.append(f"{row.release_id}: {error}")
    return None
