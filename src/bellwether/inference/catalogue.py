"""Which release answers for which symbol, and from which features: one immutable snapshot."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bellwether.core.errors import ArtifactError, BellwetherError, MissingRecord, UnknownName
from bellwether.core.ports import Ports, ReleaseRow
from bellwether.features.catalog import technical
from bellwether.inference.release import Served, serve


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What can be answered. `answering` maps (symbol, horizon) to a release id."""

    symbols: tuple[str, ...]
    releases: Mapping[str, Served]
    answering: Mapping[tuple[str, int], str]
    watermark: datetime | None
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
    answers for it. One that cannot be loaded is named in `faults`, and the next newest answers.
    """
    loaded = dict(before.releases) if before else {}
    view = technical().version
    answering: dict[tuple[str, int], str] = {}
    faults: list[str] = []
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
    built = ports.ledger.newest_materialisation(view)
    if built is not None and (before is None or before.watermark != built.watermark):
        ports.online.put(ports.features.latest(view, built.watermark))
    used = set(answering.values())
    return Catalogue(
        tuple(ports.lake.symbols()),
        {k: v for k, v in loaded.items() if k in used},
        answering,
        None if built is None else built.watermark,
        tuple(faults),
    )


def _load(row: ReleaseRow, ports: Ports, faults: list[str]) -> Served | None:
    try:
        return serve(ports.releases.load(row.release_id))
    except (ArtifactError, MissingRecord) as error:
        faults.append(str(error))
    except BellwetherError as error:
        faults.append(f"{row.release_id}: {error}")
    return None
