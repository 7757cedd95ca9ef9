"""Hold a scorer against sentences that people labelled."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bellwether.core.errors import InvalidRequest, UnknownName, UnreadableFile
from bellwether.core.ports import SentimentScorer
from bellwether.evaluation.intervals import wilson
from bellwether.pipelines.frames import read_frame

Json = dict[str, object]

LABELS = ("positive", "negative", "neutral")


@dataclass(frozen=True, slots=True)
class CheckConfig:
    """The file, and its columns of sentences and labels.

    A label is positive, negative or neutral, or a number whose sign says which.
    """

    frame: Path
    sentence: str = "sentence"
    label: str = "label"


@dataclass(frozen=True, slots=True)
class CheckReport:
    """How often each label was given to sentences of each label: `confusion[truth][given]`."""

    method: str
    confusion: Mapping[str, Mapping[str, int]]

    @property
    def n(self) -> int:
        """Sentences."""
        return sum(sum(row.values()) for row in self.confusion.values())

    @property
    def accuracy(self) -> float:
        """Share of sentences that were given their label."""
        return sum(self.confusion[label][label] for label in LABELS) / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Interval of the accuracy at 95 %, as if sentences were drawn one by one (Wilson, 1927)."""
        return wilson(self.accuracy * self.n, self.n) or (0.0, 1.0)

    @property
    def majority(self) -> tuple[str, float]:
        """The label that most sentences have, and the accuracy of always saying it."""
        sizes = {label: sum(self.confusion[label].values()) for label in LABELS}
        label = max(LABELS, key=sizes.__getitem__)
        return label, sizes[label] / self.n

    def of_label(self, label: str) -> Json:
        """Return sentences, precision, recall and F1 of a label; None where nothing can be said."""
        hits, size = self.confusion[label][label], sum(self.confusion[label].values())
        given = sum(self.confusion[truth][label] for truth in LABELS)
        return {
            "n": size,
            "given": given,
            "precision": hits / given if given else None,
            "recall": hits / size if size else None,
            "f1": 2 * hits / (size + given) if size + given else None,
        }

    def as_json(self) -> Json:
        """Return fractions and counts."""
        label, share = self.majority
        low, high = self.interval
        return {
            "method": self.method,
            "n": self.n,
            "accuracy": self.accuracy,
            "accuracy_low": low,
            "accuracy_high": high,
            "majority": label,
            "majority_accuracy": share,
            "labels": {name: self.of_label(name) for name in LABELS},
            "confusion": self.confusion,
        }

    def lines(self) -> list[str]:
        """Say it in words, in percent."""
        (label, share), (low, high) = self.majority, self.interval
        rate = f"{self.accuracy:.1%} ({low:.1%} to {high:.1%})"
        told = [
            f"{self.method} on {self.n:,} sentences: {rate} right; always {label} {share:.1%}.",
            "",
            f"{'truth':<10}{'said':>10}{'':>20}{'precision':>14}{'recall':>10}{'F1':>10}",
            f"{'':<10}" + "".join(f"{name:>10}" for name in LABELS),
        ]
        for name in LABELS:
            counts = "".join(f"{self.confusion[name][given]:>10,}" for given in LABELS)
            rates = self.of_label(name)
            shown = "".join(_percent(rates[key]) for key in ("precision", "recall", "f1"))
            told.append(f"{name:<10}{counts}    {shown}")
        return told


def run(config: CheckConfig, scorer: SentimentScorer) -> CheckReport:
    """Score every sentence and count what it was given.

    Raises
    ------
    UnreadableFile
        If the file cannot be read, or has no row.
    UnknownName
        If a column is not there.
    InvalidRequest
        If a sentence is missing, or a label is neither one of the three nor a finite number;
        names the row.
    """
    frame = read_frame(config.frame)
    for name in (config.sentence, config.label):
        if name not in frame.columns:
            raise UnknownName("column", name, frame.columns)
    if not frame.height:
        raise UnreadableFile(config.frame.name, "there is a header and no row below it")
    texts = _sentences(frame[config.sentence])
    truths = _labels(frame[config.label])
    pairs = Counter(zip(truths, (tone.label for tone in scorer.tones(texts)), strict=True))
    confusion = {truth: {given: pairs[truth, given] for given in LABELS} for truth in LABELS}
    return CheckReport(scorer.method, confusion)


def _sentences(column: pl.Series) -> list[str]:
    if column.dtype != pl.String:
        raise InvalidRequest(column.name, f"holds {column.dtype}, not sentences")
    if column.null_count():
        row = int(column.is_null().arg_max() or 0) + 1
        raise InvalidRequest(column.name, f"has no sentence in row {row}")
    return column.to_list()


def _labels(column: pl.Series) -> Sequence[str]:
    found = []
    for row, value in enumerate(column.to_list(), start=1):
        label = _label(value)
        if label not in LABELS:
            listed = ", ".join(LABELS)
            why = f"{value!r} in row {row} is neither one of {listed} nor a number"
            raise InvalidRequest(column.name, why)
        found.append(label)
    return found


def _label(value: object) -> str:
    told = str(value).strip().lower()
    try:
        number = float(told)
    except ValueError:
        return told
    signs = {number > 0: "positive", number < 0: "negative", number == 0: "neutral"}
    return signs[True] if math.isfinite(number) else told


def _percent(share: object) -> str:
    return f"{share:>10.1%}" if isinstance(share, float) else f"{'-':>10}"
