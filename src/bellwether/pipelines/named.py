"""From an id, or the beginning of one, to the thing that is meant."""

import re
from dataclasses import dataclass

from bellwether.core.errors import InvalidRequest, StorageError, UnknownName
from bellwether.core.ports import Ports

LEAST, MOST, SHOWN = 6, 64, 6
WHAT = "release, prediction or run"


@dataclass(frozen=True, slots=True)
class Named:
    """A thing with an id; `kind` is `release`, `prediction` or `run`."""

    kind: str
    id: str


def named(text: str, ports: Ports) -> Named:
    """Return the one release, prediction or run whose id is `text` or begins with it.

    Raises
    ------
    InvalidRequest
        If `text` is too short, or begins several ids.
    UnknownName
        If it begins none.
    """
    wanted = text.strip()
    if len(wanted) < LEAST:
        raise InvalidRequest("id", f"{wanted!r} is too short; give at least {LEAST} characters")
    found = _beginning(wanted, ports) if re.fullmatch(rf"[\w.-]{{1,{MOST}}}", wanted) else []
    exact = [n for n in found if n.id == wanted]
    if exact:
        return exact[0]
    if not found:
        raise UnknownName(WHAT, wanted, (), "Ids are shown by `bellwether releases` and `predict`.")
    if len(found) > 1:
        listed = ", ".join(f"{n.kind} {n.id}" for n in found[:SHOWN])
        more = ", ..." if len(found) > SHOWN else ""
        raise InvalidRequest("id", f"{wanted!r} begins several: {listed}{more}. Give more of it")
    return found[0]


def _beginning(prefix: str, ports: Ports) -> list[Named]:
    runs = {row.run_id for row in ports.ledger.runs()}
    releases = {row.release_id for row in ports.ledger.releases()} | _kept(ports)
    ids = {
        "release": sorted(r for r in releases if r.startswith(prefix)),
        "run": sorted(r for r in runs if r.startswith(prefix)),
        "prediction": ports.log.beginning(prefix, SHOWN + 1),
    }
    return [Named(kind, one) for kind, found in ids.items() for one in found]


def _kept(ports: Ports) -> set[str]:
    """Return the releases that lie in the store; none where it is away."""
    try:
        return set(ports.releases.ids())
    except StorageError:
        return set()
