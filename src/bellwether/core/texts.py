"""Short texts: their tables, and what makes two the same: words, whatever the case and marks."""

import hashlib
import re
import unicodedata

import pandera.polars as pa
import polars as pl

from bellwether.core.schemas import FACT, KEPT, TOLD_BY, UTC_TIME

WORDS = re.compile(r"\w+")

LONGEST_TEXT = 10_000
"""Characters of the longest text that is kept: a story, not a book."""

TEXTS_IN = pa.DataFrameSchema(
    {
        **FACT,
        "text_id": pa.Column(pl.String, pa.Check.str_length(32, 32)),
        "published_at": pa.Column(UTC_TIME),
        "text": pa.Column(pl.String, pa.Check.str_length(1, LONGEST_TEXT)),
        "publisher": pa.Column(pl.String, nullable=True),
        **TOLD_BY,
    },
    strict=True,
    name="texts_in",
    metadata={"keys": ["symbol", "text_id"]},
)
"""Short texts about a symbol. `text_id` names a text by its words, so that a copy is the same text.

`knowledge_time` is when it was first seen: told by the feed (basis `first_seen`), else taken to be
`published_at` (basis `published`).
"""

TEXTS = pa.DataFrameSchema(
    {**TEXTS_IN.columns, **KEPT},
    strict=True,
    name="texts",
    metadata={"keys": ["symbol", "text_id", "source", "revision"]},
)
"""Texts in the lake. A text is told once: a copy that comes later changes nothing."""


def words(text: str) -> tuple[str, ...]:
    """Return the words and numbers of a text, folded.

    Examples
    --------
    >>> words("Profit RISES 3.5 %!")
    ('profit', 'rises', '3', '5')
    """
    return tuple(WORDS.findall(unicodedata.normalize("NFKC", text).casefold()))


def text_id(text: str) -> str:
    """Name a text by its words: 32 hexadecimal digits. A text without words is named by its signs.

    Examples
    --------
    >>> text_id("Profit rises.") == text_id("PROFIT   rises")
    True
    """
    said = " ".join(words(text)) or f"signs:{text}"
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32]
