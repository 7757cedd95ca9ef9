"""What makes two short texts the same: their words, whatever the case, marks and spaces."""

import hashlib
import re
import unicodedata

WORDS = re.compile(r"\w+")


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
