"""What a release reads: a view, and the name under which its vectors are kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from bellwether.features.feature import FeatureView
from bellwether.features.views import DEFAULT, kept, view


@dataclass(frozen=True, slots=True)
class Reads:
    """`name` is the view's version, with the universe where it looked across that alone.

    `positions` gives the place of each model feature in a vector.
    """

    name: str
    view: FeatureView
    positions: Mapping[str, int] = field(repr=False)


@lru_cache(maxsize=256)
def reads(name: str) -> Reads | None:
    """Return what is kept under `name`; None where this version of the platform computes it not."""
    found = kept(name)
    if found is None:
        return None
    one = found.view
    return Reads(name, one, dict(zip(one.model_columns, one.model_positions, strict=True)))


@lru_cache(maxsize=1)
def usual() -> Reads:
    """Return the view that is always materialised."""
    found = reads(view(DEFAULT).version)
    assert found is not None  # noqa: S101 - it is computed here
    return found
