"""What was written about a symbol: its tone, how much of it, and how new it was."""

from functools import cache

from bellwether.features.catalog import FeatureView
from bellwether.features.expr import Column, lag
from bellwether.features.formulas import Row, features, mean

SCORED_BY = "lexicon-v1"
"""Whose scores the view reads unless others are set."""

_TETLOCK, _ATTENTION = "Tetlock, 2007", "Barber and Odean, 2008"
_TONE, _TEXTS = Column("tone"), Column("texts")

_ROWS: list[Row] = [
    (
        "text_tone",
        _TONE + 0,
        "score",
        "Decayed mean tone of the texts of 10 days, half-life 24 hours, drawn to 0 by one text",
        _TETLOCK,
    ),
    (
        "text_tone_change_1",
        _TONE - lag(_TONE, 1),
        "score",
        "Change of the tone since the session before",
        "Tetlock, Saar-Tsechansky and Macskassy, 2008",
    ),
    (
        "text_tone_5",
        mean(_TONE, 5),
        "score",
        "Mean tone of 5 sessions",
        "Heston and Sinha, 2017",
    ),
    (
        "text_voices",
        Column("voices") + 0,
        "texts",
        "Decayed count of texts with something new, half-life 24 hours",
        "Antweiler and Frank, 2004",
    ),
    (
        "text_count_1",
        _TEXTS + 0,
        "texts",
        "Texts first seen since the close of the session before",
        _ATTENTION,
    ),
    (
        "text_attention_20",
        (_TEXTS + 1) / (mean(_TEXTS, 20) + 1) - 1,
        "ratio",
        "Texts of the session above their mean of 20 sessions, both plus one",
        _ATTENTION,
    ),
    (
        "text_good_share",
        Column("good_texts") + 0,
        "ratio",
        "Share of the session's texts with a tone above 0; 0 without texts",
        "Antweiler and Frank, 2004",
    ),
    (
        "text_bad_share",
        Column("bad_texts") + 0,
        "ratio",
        "Share of the session's texts with a tone below 0; 0 without texts",
        _TETLOCK,
    ),
    (
        "text_novelty",
        Column("new_words") + 0,
        "ratio",
        "Mean of 1 less the largest likeness of a text to those of 72 hours; 0 without texts",
        "Tetlock, 2011",
    ),
    (
        "text_silence",
        Column("silence") + 0,
        "days",
        "Age of the newest text at the close, at most 10 days",
        "Fang and Peress, 2009",
    ),
]


@cache
def text() -> FeatureView:
    """Return the view of what was written about a symbol (`texts.py` says how it is counted)."""
    return FeatureView("text", features("text", _ROWS), ttl_sessions=1, scored_by=SCORED_BY)
