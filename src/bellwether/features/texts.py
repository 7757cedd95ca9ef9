"""Texts of one symbol as numbers per session: what was known by its close, and nothing later.

A number of session t is made of the texts first seen in the `WINDOW_H` hours up to its close and of
no others, always in the same order and by exactly rounded steps; so history, truncated history and
one session alone give equal bits. A text first seen after the close belongs to the next session.
"""

import math
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from bellwether.core.calendar import SessionCalendar
from bellwether.core.texts import text_id, words

Array = npt.NDArray[np.float64]
Instants = npt.NDArray[np.int64]

HALF_LIFE_H = 24.0
WINDOW_H = 240.0
NOVELTY_H = 72.0
COMPARED = 500
REPRINT = 0.1
SHRINK = 1.0
"""A text loses half its weight in `HALF_LIFE_H` and counts for `WINDOW_H`, ten half-lives. It is
compared with at most `COMPARED` texts of the `NOVELTY_H` before it; one with less than `REPRINT` new in
it has no vote. The tone is drawn to 0 as by `SHRINK` texts without one."""

RULES = (HALF_LIFE_H, WINDOW_H, NOVELTY_H, COMPARED, REPRINT, SHRINK)
COLUMNS = ("tone", "voices", "texts", "good_texts", "bad_texts", "new_words", "silence")
US_H = 3_600_000_000
LN2 = 0.6931471805599453
TERMS = tuple(1.0 / k for k in range(18, 0, -1))

FRAME: dict[str, pl.DataType] = {
    "known_at": pl.Datetime("us", "UTC"),
    "text": pl.String(),
    "score": pl.Float64(),
}
"""Texts of one symbol: when first seen, what they say, and their tone in [-1, 1]."""


@dataclass(frozen=True, slots=True)
class Texts:
    """One symbol's texts in the order in which they were seen.

    `known_us` are microseconds since 1970 UTC; `score` is the tone in [-1, 1]; `novelty` is 1 less
    the largest cosine of word counts with an earlier text, in [0, 1]. Arrays of shape (n_texts,).
    """

    known_us: Instants
    score: Array
    novelty: Array


def scored(texts: pl.DataFrame, score_each: Callable[[Sequence[str]], list[float]]) -> pl.DataFrame:
    """Return texts of one symbol (columns `known_at` and `text`) with their tone (FRAME)."""
    tones = score_each(texts["text"].to_list())
    return texts.select("known_at", "text").with_columns(score=pl.Series(tones, dtype=pl.Float64))


def gathered(texts: pl.DataFrame) -> Texts:
    """Order one symbol's texts (FRAME), take copies once, and measure what is new in each."""
    rows = zip(
        texts["known_at"].dt.epoch("us"), map(text_id, texts["text"]), texts["score"],
        map(words, texts["text"]), strict=True,
    )  # fmt: skip
    seen: set[str] = set()
    kept = []
    for row in sorted(rows, key=lambda r: r[:2]):
        if row[1] not in seen:
            seen.add(row[1])
            kept.append(row)
    times = [row[0] for row in kept]
    return Texts(
        np.array(times, dtype=np.int64),
        np.array([row[2] for row in kept], dtype=np.float64),
        _novelty(times, [row[3] for row in kept]),
    )


def _novelty(times: Sequence[int], said: Sequence[Sequence[str]]) -> Array:
    """Compare each text with those of the hours before it, word by word."""
    found = np.ones(len(times))
    sizes: list[int] = []
    holding: defaultdict[str, deque[tuple[int, int]]] = defaultdict(deque)
    reach, first = int(NOVELTY_H * US_H), 0
    for i, (at, tokens) in enumerate(zip(times, said, strict=True)):
        bag = Counter(tokens)
        sizes.append(sum(n * n for n in bag.values()))
        while times[first] < at - reach or first < i - COMPARED:
            first += 1
        shared: defaultdict[int, int] = defaultdict(int)
        for word, n in bag.items():
            held = holding[word]
            while held and held[0][0] < first:
                held.popleft()
            for j, m in held:
                shared[j] += n * m
            held.append((i, n))
        nearest = max((dot / math.sqrt(sizes[i] * sizes[j]) for j, dot in shared.items()), default=0.0)  # fmt: skip
        found[i] = 1.0 - min(nearest, 1.0)
    return found


def columns(texts: Texts, sessions: npt.NDArray[np.datetime64], calendar: SessionCalendar) -> dict[str, Array]:  # fmt: skip
    """Return the columns COLUMNS of each session, arrays of shape (n_sessions,).

    "tone" is the decayed mean S = sum(w s) / (SHRINK + sum(w)) of scores s with w = novelty times
    2 ** (-age / half-life); "voices" is sum(w); "texts" counts those since the close before,
    "good_texts" and "bad_texts" are the shares of them above and below 0, "new_words" their mean
    novelty; "silence" is the age of the newest in days, at most the window's. Without a text all
    are 0 and the silence is the window's; never NaN.
    """
    out = {name: np.zeros(len(sessions)) for name in COLUMNS}
    out["silence"][:] = WINDOW_H / 24
    at = calendar.positions(sessions)
    closes = calendar.closes.astype("datetime64[us]").astype(np.int64)
    ends, before = closes[at], closes[np.maximum(at - 1, 0)]
    low = np.searchsorted(texts.known_us, ends - int(WINDOW_H * US_H), side="right")
    high = np.searchsorted(texts.known_us, ends, side="right")
    since = np.searchsorted(texts.known_us, before, side="right")
    for t in np.flatnonzero(high > low):
        window = slice(int(low[t]), int(high[t]))
        fresh = slice(max(int(since[t]), window.start), window.stop)
        for name, value in _session(texts, window, fresh, int(ends[t])).items():
            out[name][t] = value
    return out


def _session(texts: Texts, window: slice, fresh: slice, end: int) -> dict[str, float]:
    age_h = (end - texts.known_us[window]) / US_H
    novelty = texts.novelty[window]
    weight = np.where(novelty < REPRINT, 0.0, novelty) * halved(age_h / HALF_LIFE_H)
    voices = math.fsum(weight)
    said = {
        "tone": math.fsum(weight * texts.score[window]) / (SHRINK + voices) + 0.0,
        "voices": voices,
        "silence": float(age_h[-1]) / 24,
    }
    n = fresh.stop - fresh.start
    if n == 0:
        return said
    score = texts.score[fresh]
    return said | {
        "texts": float(n),
        "good_texts": int((score > 0).sum()) / n,
        "bad_texts": int((score < 0).sum()) / n,
        "new_words": math.fsum(texts.novelty[fresh]) / n,
    }


def halved(x: Array) -> Array:
    """Return 2 ** -x for x >= 0 by exactly rounded steps, within 3 units in the last place."""
    whole = np.floor(x)
    y = (x - whole) * -LN2
    power = np.ones_like(y)
    for term in TERMS:
        power = power * (y * term) + 1.0
    found: Array = np.ldexp(power, -whole.astype(np.int64))
    return found


def beside(series: pl.DataFrame, texts: Texts, calendar: SessionCalendar) -> pl.DataFrame:
    """Return a series (schema SERIES) with the columns of its symbol's texts."""
    made = columns(texts, series["session"].to_numpy(), calendar)
    return series.with_columns(pl.Series(name, values) for name, values in made.items())


def at_session(texts: Texts, calendar: SessionCalendar) -> Callable[[date], Mapping[str, float]]:
    """Return the function that gives the columns of one session, for the stream."""

    def told(session: date) -> Mapping[str, float]:
        made = columns(texts, np.array([session], dtype="datetime64[D]"), calendar)
        return {name: float(values[0]) for name, values in made.items()}

    return told


def between(texts: pl.DataFrame, first: datetime, last: datetime) -> pl.DataFrame:
    """Return the texts (by `known_at`) that sessions which close from `first` to `last` can depend on."""
    reach = timedelta(hours=WINDOW_H + NOVELTY_H)
    return texts.filter((pl.col("known_at") >= first - reach) & (pl.col("known_at") <= last))
