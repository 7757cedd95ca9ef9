"""All views by name."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from bellwether.core.errors import UnknownName
from bellwether.features.catalog import FeatureView, technical
from bellwether.features.view_calendar import calendar
from bellwether.features.view_liquidity import liquidity
from bellwether.features.view_ranges import ranges
from bellwether.features.view_regime import regime
from bellwether.features.view_returns import returns
from bellwether.features.view_section import section


@cache
def views() -> Mapping[str, FeatureView]:
    """Return the views by name; `technical` is what the models of this platform read."""
    made = (technical(), returns(), ranges(), liquidity(), calendar(), regime(), section())
    return MappingProxyType({view.name: view for view in made})


def view(name: str) -> FeatureView:
    """Return one view.

    Raises
    ------
    UnknownName
        If there is none of that name.
    """
    if name not in views():
        raise UnknownName("view", name, tuple(views()))
    return views()[name]
