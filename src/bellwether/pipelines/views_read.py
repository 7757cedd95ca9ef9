"""Which views are read: those of the releases that may answer, and the one that always is."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bellwether.core.ports import Ports
from bellwether.features.feature import FeatureView
from bellwether.features.views import AND, DEFAULT, Kept, combined, kept, view
from bellwether.inference.texts import scores


def views_read(ports: Ports) -> tuple[Kept, ...]:
    """Return the views that the newest releases of symbols and horizons read, `technical` first.

    A release whose view this version of the platform does not compute is passed over, as serving
    passes it over.
    """
    asked = {row.run_id: json.loads(row.config) for row in ports.ledger.runs()}
    found = {view(DEFAULT).version: Kept(view(DEFAULT))}
    taken: set[tuple[str, int]] = set()
    for row in ports.ledger.releases():
        wanted = {(symbol, row.horizon_sessions) for symbol in row.symbols} - taken
        one = _read_by(asked.get(row.run_id, {})) if wanted else None
        if one is not None and scores(one.view, ports):
            taken |= wanted
            found.setdefault(one.name, one)
    return tuple(found.values())


def _read_by(question: Mapping[str, Any]) -> Kept | None:
    found = kept(str(question.get("view", "")))
    if found is None:
        return None
    return Kept(found.view, question.get("universe") if found.view.across else None)


def together(several: Sequence[FeatureView]) -> FeatureView:
    """Return one view that has the features of all of them."""
    return combined(frozenset(part for one in several for part in one.name.split(AND)))
