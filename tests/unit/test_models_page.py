"""docs/models.md says of every model what its card says."""

from pathlib import Path

import pytest

from bellwether.models import factory
from bellwether.models.card import Card

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
COLUMNS = ("return_1", "return_20", "x")


def row(card: Card) -> str:
    cells = (
        f"`{card.name}`",
        card.library,
        card.what,
        card.missing,
        "2 is the row twice" if card.doubles else "count",
        card.explanation,
        "by seed" if card.seeded else "no",
        f"{card.size_kb:,} kB",
        card.use,
    )
    return f"| {' | '.join(cells)} |"


def test_the_table_is_the_cards() -> None:
    cards = []
    for name in (*factory.MODELS, *factory.BASELINES):
        if name == "lstm" and name not in factory.available():
            pytest.skip("PyTorch (the extra 'deep') is not installed here")
        cards.append(row(factory.make(name, COLUMNS, seed=0).describe()))

    told = PAGE.read_text().splitlines()
    start = next(i for i, line in enumerate(told) if line.startswith("| name | library |")) + 2

    assert told[start : start + len(cards)] == cards
