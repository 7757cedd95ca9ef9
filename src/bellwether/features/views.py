"""All views by name, alone and combined, and the names under which their vectors are kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from bellwether.core.errors import InvalidRequest, UnknownName
from bellwether.features.catalog import FeatureView, technical
from bellwether.features.feature import BY
from bellwether.features.view_calendar import calendar
from bellwether.features.view_liquidity import liquidity
from bellwether.features.view_ranges import ranges
from bellwether.features.view_regime import regime
from bellwether.features.view_returns import returns
from bellwether.features.view_section import section
from bellwether.features.view_text import text

DEFAULT = "technical"
AND = "+"
LONGEST = 200


@cache
def views() -> Mapping[str, FeatureView]:
    """Return the views by name, in the order in which combinations have them."""
    made = (technical(), returns(), ranges(), liquidity(), calendar(), regime(), section(), text())
    return MappingProxyType({view.name: view for view in made})


def view(name: str) -> FeatureView:
    """Return one view, or several as one: `technical+returns`, in whatever order they are named.

    Raises
    ------
    UnknownName
        If there is no view of a name.
    InvalidRequest
        If no view is named, or one twice.
    """
    if len(name) > LONGEST:
        raise InvalidRequest("view", f"{len(name)} characters name no view; {LONGEST} at most")
    parts = name.split(AND)
    if "" in parts:
        raise InvalidRequest("view", f"{name!r} leaves a name out; write it as technical+returns")
    for part in parts:
        if part not in views():
            raise UnknownName("view", part, tuple(views()))
    twice = [part for part in views() if parts.count(part) > 1]
    if twice:
        raise InvalidRequest("view", f"{name!r} names {', '.join(twice)} more than once")
    return combined(frozenset(parts))


@cache
def combined(names: frozenset[str]) -> FeatureView:
    """Return the named views as one, in the order of `views()`; steps they share are run once."""
    parts = [one for name, one in views().items() if name in names]
    if len(parts) == 1:
        return parts[0]
    features = tuple(f for part in parts for f in part.features)
    ttl = min(part.ttl_sessions for part in parts)
    scored_by = next((part.scored_by for part in parts if part.scored_by), "")
    return FeatureView(AND.join(part.name for part in parts), features, ttl, scored_by)


@dataclass(frozen=True, slots=True)
class Kept:
    """A view as its vectors are kept: looked across everybody, or across one universe."""

    view: FeatureView
    universe: str | None = None

    @property
    def name(self) -> str:
        """The view's version, and the universe where it looked across that alone."""
        if self.universe is None or not self.view.across:
            return self.view.version
        return f"{self.view.version}{AND}{self.universe}"


def kept(name: str) -> Kept | None:
    """Return what is kept under `name`; None where this version of the platform computes it not."""
    view_name, _, rest = name.partition("@")
    told, _, universe = rest.partition(AND)
    digest, _, method = told.partition(BY)
    try:
        named = view(view_name)
        found = Kept(named.scored(method) if method else named, universe or None)
    except (InvalidRequest, UnknownName):
        return None
    return found if found.name == name and digest else None
