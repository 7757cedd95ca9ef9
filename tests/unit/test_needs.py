"""What features need, and what adjusted bars cannot give."""

import numpy as np
import pytest

from bellwether.core.types import MIXED, Adjustment
from bellwether.features.catalog import Kind, technical
from bellwether.features.needs import LOST, Need, refusals

VIEW = technical()


def test_needs_follow_from_formula_and_kind() -> None:
    for feature in VIEW.features:
        reads_volume = "volume" in str(feature.expression)
        assert (Need.VOLUME in feature.needs) == reads_volume, feature.name
        assert (Need.PRICE_LEVEL in feature.needs) == (feature.kind is Kind.PRICE_LEVEL)
        assert (Need.VOLUME_LEVEL in feature.needs) == (feature.kind is Kind.VOLUME_LEVEL)


def test_as_traded_bars_give_everything_and_a_mix_nothing() -> None:
    assert set(VIEW.refused) == {*LOST, MIXED}
    assert VIEW.refused[Adjustment.NONE] == ()
    assert VIEW.refused[MIXED] == tuple(range(len(VIEW.features)))
    assert set(VIEW.refused[Adjustment.SPLITS]) < set(VIEW.refused[Adjustment.TOTAL])


@pytest.mark.parametrize("adjustment", [*LOST, MIXED])
def test_a_vector_tells_how_its_bars_were_adjusted(adjustment: str) -> None:
    values = np.ones(len(VIEW.features))
    values[list(VIEW.refused[adjustment])] = np.nan

    assert VIEW.adjustment_of(values) == adjustment


def test_a_vector_that_warms_up_tells_nothing() -> None:
    warm = np.array([np.nan if f.warm_up > 30 else 1.0 for f in VIEW.features])

    assert VIEW.adjustment_of(warm) is None


def test_a_refusal_says_what_why_and_to_how_many() -> None:
    told = {"A": "total", "B": "total", "C": "none", "D": "mixed"}

    found = refusals(VIEW.columns, [f.needs for f in VIEW.features], told)

    words = [r.words() for r in found]
    assert words[0].startswith("Refused to 2 symbols (A, B), whose bars arrived adjusted (total): ")
    assert words[0].endswith("they need volume.")
    assert words[-1].startswith("All features refused to 1 symbol (D)")
    assert refusals(VIEW.columns, [f.needs for f in VIEW.features], {"C": "none"}) == ()
