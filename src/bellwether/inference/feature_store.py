"""What the feature store looks like from outside: counts, one symbol's entries, its features."""

from collections import Counter
from collections.abc import Callable
from datetime import date

from bellwether.core.errors import Unavailable, UnknownName
from bellwether.core.ports import Ports
from bellwether.core.types import Freshness, OnlineEntry, freshness
from bellwether.features.catalog import FeatureView
from bellwether.inference.catalogue import Catalogue
from bellwether.telemetry import FEATURE_READS, total

Age = Callable[[date], int]


def stats(ports: Ports, catalogue: Catalogue, view: FeatureView, age: Age) -> dict[str, object]:
    """Return reads by level, what is kept, and how fresh it is; null where the store is away."""
    reads = {level: int(n) for (level,), n in total(FEATURE_READS).items()}
    asked = sum(reads.values())
    found: dict[str, object] = {
        "store": ports.online.kind,
        "away": ports.online.away(),
        "view": {
            "name": view.name,
            "version": view.version,
            "features": len(view.features),
            "warm_up_sessions": view.warm_up,
            "ttl_sessions": view.ttl_sessions,
        },
        "reads": {level: reads.get(level, 0) for level in ("memory", "store", "lake", "computed")},
        "memory_hit_ratio": reads.get("memory", 0) / asked if asked else None,
        "materialised_until": catalogue.watermark.isoformat() if catalogue.watermark else None,
    }
    try:
        census = ports.online.census()
        vectors = ports.online.get_many(catalogue.symbols, view.version)
    except Unavailable as error:
        return found | {
            "away": str(error),
            **dict.fromkeys(("entries", "size_bytes", "held_in_memory", "symbols")),
        }
    states = Counter(
        freshness(None if v is None else age(v.session), view.ttl_sessions) for v in vectors
    )
    return found | {
        "entries": census.entries,
        "size_bytes": census.size_bytes,
        "held_in_memory": census.held,
        "symbols": {state.value: states[state] for state in Freshness},
    }


def metadata(
    symbol: str, ports: Ports, catalogue: Catalogue, view: FeatureView, age: Age
) -> dict[str, object]:
    """Return every version kept of a symbol's vector, and whether it is the one that is read.

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
    current = next((e for e in kept if e.vector.view == view.version), None)
    state = freshness(age(current.vector.session) if current else None, view.ttl_sessions)
    return {
        "symbol": symbol,
        "view": view.version,
        "status": state.value,
        "age_sessions": age(current.vector.session) if current else None,
        "ttl_sessions": view.ttl_sessions,
        "versions": [_entry(e, view, age) for e in kept],
    }


def _entry(entry: OnlineEntry, view: FeatureView, age: Age) -> dict[str, object]:
    vector = entry.vector
    return {
        "view": vector.view,
        "current": vector.view == view.version,
        "session": str(vector.session),
        "age_sessions": age(vector.session),
        "watermark": vector.watermark.isoformat(),
        "written_at": entry.written_at.isoformat(),
        "size_bytes": entry.size_bytes,
        "values": len(vector.values) // 8,
    }
