"""What the feature store looks like from outside: counts, one symbol's entries, its features."""

from collections import Counter
from collections.abc import Callable
from datetime import date

from bellwether.core.errors import MissingRecord, Unavailable, UnknownName
from bellwether.core.ports import Ports
from bellwether.core.types import FeatureVector, Freshness, OnlineEntry, freshness
from bellwether.features.views import view as declared
from bellwether.inference import views
from bellwether.inference.catalogue import Catalogue
from bellwether.inference.reads import Reads, usual
from bellwether.telemetry import FEATURE_READS, total

Age = Callable[[date], int]


def stats(ports: Ports, catalogue: Catalogue, age: Age) -> dict[str, object]:
    """Return reads by level, what is kept, and how fresh it is; null where the store is away.

    `view` and `symbols` are of the view that is always materialised, `views` of all that are read.
    """
    reads = {level: int(n) for (level,), n in total(FEATURE_READS).items()}
    asked = sum(reads.values())
    told = [_described(r, catalogue) for r in catalogue.reads]
    found: dict[str, object] = {
        "store": ports.online.kind,
        "away": ports.online.away(),
        "view": {k: v for k, v in told[0].items() if k != "materialised_until"},
        "reads": {level: reads.get(level, 0) for level in ("memory", "store", "lake", "computed")},
        "memory_hit_ratio": reads.get("memory", 0) / asked if asked else None,
        "materialised_until": told[0]["materialised_until"],
        "views": told,
    }
    try:
        census = ports.online.census()
        fresh = [_freshness(ports, catalogue, r, age) for r in catalogue.reads]
    except Unavailable as error:
        return found | {
            "away": str(error),
            **dict.fromkeys(("entries", "size_bytes", "held_in_memory", "symbols")),
        }
    return found | {
        "entries": census.entries,
        "size_bytes": census.size_bytes,
        "held_in_memory": census.held,
        "symbols": fresh[0],
        "views": [t | {"symbols": f} for t, f in zip(told, fresh, strict=True)],
    }


def _described(reads: Reads, catalogue: Catalogue) -> dict[str, object]:
    watermark = catalogue.watermarks.get(reads.name)
    return {
        "name": reads.view.name,
        "version": reads.name,
        "features": len(reads.view.features),
        "warm_up_sessions": reads.view.warm_up,
        "ttl_sessions": reads.view.ttl_sessions,
        "materialised_until": watermark.isoformat() if watermark else None,
    }


def _freshness(ports: Ports, catalogue: Catalogue, reads: Reads, age: Age) -> dict[str, int]:
    vectors = ports.online.get_many(catalogue.symbols, reads.name)
    ttl = reads.view.ttl_sessions
    states = Counter(freshness(None if v is None else age(v.session), ttl) for v in vectors)
    return {state.value: states[state] for state in Freshness}


def chosen(symbol: str, name: str | None, catalogue: Catalogue) -> Reads:
    """Return the view that is asked for, of those that are read here.

    Raises
    ------
    UnknownName, InvalidRequest
        If there is no such view.
    MissingRecord
        If no release here reads it.
    """
    if name is None:
        return catalogue.reads_for(symbol)
    view = declared(name.replace(" ", "+"))  # in an address, a plus sign stands for a space
    for reads in (catalogue.reads_for(symbol), *catalogue.reads):
        if reads.view == view:
            return reads
    raise MissingRecord("release", f"the view {view.name}", f"bellwether train --view {view.name}")


def features(
    vector: FeatureVector, reads: Reads, age: int, degraded: list[str]
) -> dict[str, object]:
    """Return a vector by name, and how fresh it is."""
    return {
        "symbol": vector.symbol,
        "as_of": str(vector.session),
        "view": vector.view,
        "status": freshness(age, reads.view.ttl_sessions).value,
        "age_sessions": age,
        "ttl_sessions": reads.view.ttl_sessions,
        "last_price": vector.last_close,
        "features": views.named(vector.values, reads.positions),
        "degraded": degraded,
    }


def metadata(symbol: str, ports: Ports, catalogue: Catalogue, age: Age) -> dict[str, object]:
    """Return every version kept of a symbol's vectors, and whether it is one that is read.

    `view`, `status` and `age_sessions` are of the view that the symbol's release reads, `views` of
    all that are read here.

    Raises
    ------
    UnknownName
        If the symbol has neither bars nor vectors here.
    Unavailable
        If the store is away.
    """
    kept = ports.online.entries(symbol)
    if not kept and symbol not in catalogue.symbols:
        raise UnknownName("symbol", symbol, catalogue.symbols, "Ingest its bars first.")
    by_name = {r.name: _state(r, kept, age) for r in (*catalogue.reads, usual())}
    return {
        "symbol": symbol,
        **by_name[catalogue.reads_for(symbol).name],
        "views": list(by_name.values()),
        "versions": [_entry(e, e.vector.view in by_name, age) for e in kept],
    }


def _state(reads: Reads, kept: list[OnlineEntry], age: Age) -> dict[str, object]:
    current = next((e for e in kept if e.vector.view == reads.name), None)
    old = age(current.vector.session) if current else None
    return {
        "view": reads.name,
        "status": freshness(old, reads.view.ttl_sessions).value,
        "age_sessions": old,
        "ttl_sessions": reads.view.ttl_sessions,
    }


def _entry(entry: OnlineEntry, current: bool, age: Age) -> dict[str, object]:  # noqa: FBT001 - a fact
    vector = entry.vector
    return {
        "view": vector.view,
        "current": current,
        "session": str(vector.session),
        "age_sessions": age(vector.session),
        "watermark": vector.watermark.isoformat(),
        "written_at": entry.written_at.isoformat(),
        "size_bytes": entry.size_bytes,
        "values": len(vector.values) // 8,
    }
