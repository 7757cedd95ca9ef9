"""What a release says of its features: what moved its model in each fold, and what was chosen."""

from typing import Any

from bellwether.core.errors import MissingRecord, UnknownName
from bellwether.core.ports import Ports


def of_release(release_id: str | None, ports: Ports) -> dict[str, Any]:
    """Return what moved a release, the newest by default.

    Returns
    -------
    dict
        `release_id`, `model`, `importance` (as `evaluation.importance.importance` gives it; None
        for a release that was packed before this was kept, or without a walk forward) and
        `selection` (what was chosen in each fold; None where all features are read).

    Raises
    ------
    MissingRecord
        If there is no release.
    UnknownName
        If there is none of this id.
    """
    known = ports.ledger.releases()
    if not known:
        raise MissingRecord("release", "any model", "bellwether train")
    ids = [row.release_id for row in known]
    if release_id is not None and release_id not in ids:
        raise UnknownName("release", release_id, ids)
    manifest = ports.releases.load(release_id or ids[0]).manifest
    return {
        "release_id": release_id or ids[0],
        "model": manifest["model"],
        "importance": manifest.get("importance_over_time"),
        "selection": manifest.get("selection"),
    }


def lines(found: dict[str, Any]) -> list[str]:
    """Say it in words."""
    told = [f"{found['model']}, release {found['release_id']}"]
    told += [found[k]["reading"] for k in ("selection", "importance") if found[k] is not None]
    if found["importance"] is None:
        told.append("It does not say what moved it fold by fold; train it again.")
    chosen = (found["selection"] or {}).get("chosen", {})
    for scope in sorted(chosen, key=lambda s: (len(s), s)):
        told.append(f"{scope}: {', '.join(chosen[scope]) or 'none'}")
    return told
