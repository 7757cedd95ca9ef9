"""Planted leaks beyond the features: labels, fills, folds, and what is fitted."""

import polars as pl

from bellwether.audit.found import Panel, Subject

C, O = pl.col("close"), pl.col("open")  # noqa: E741
KEYS = ["symbol", "session"]


def clean(panel: Panel) -> pl.DataFrame:
    r = (C / C.shift(1)).log().over("symbol")
    return panel.bars.select(*KEYS, r=r, m=r.rolling_sum(5).over("symbol"))


def labelled(value: pl.Expr) -> object:
    return lambda panel: panel.bars.select(*KEYS, label=value.over("symbol"))


def close_to_close() -> Subject:
    """Start the return at the close that decided."""
    return Subject(clean, label=labelled((C.shift(-1) / C).log()), horizon=1)


def filled_at_the_same_open() -> Subject:
    return Subject(clean, label=labelled((O.shift(-1) / O).log()), horizon=1)


def filled_at_the_close_that_decides() -> Subject:
    return Subject(clean, filled="close")


def pays_the_same_close() -> Subject:
    return Subject(clean, fills=lambda p: p.bars.select(*KEYS, price="close"))


def horizon_understated() -> Subject:
    """Say five sessions of a label of ten: purging by five leaves overlap."""
    return Subject(clean, label=labelled((O.shift(-11) / O.shift(-1)).log()), horizon=5)


def folds_without_purge() -> Subject:
    def folds(rows: pl.DataFrame) -> list[tuple[list[int], list[int]]]:
        half = rows.height // 2
        return [(list(range(half)), list(range(half, rows.height)))]

    return Subject(
        clean, label=labelled((O.shift(-21) / O.shift(-1)).log()), horizon=20, folds=folds
    )


def shuffled_folds() -> Subject:
    def folds(rows: pl.DataFrame) -> list[tuple[list[int], list[int]]]:
        return [(list(range(0, rows.height, 2)), list(range(1, rows.height, 2)))]

    return Subject(clean, horizon=1, folds=folds)


def label_among_features() -> Subject:
    """Bring the label in from elsewhere, under a harmless name."""
    answers: dict[str, pl.DataFrame] = {}

    def features(panel: Panel) -> pl.DataFrame:
        told = panel.bars.select(*KEYS, quality=(O.shift(-2) / O.shift(-1)).log().over("symbol"))
        known = answers.setdefault("all", told)
        return clean(panel).join(known, on=KEYS, how="left", maintain_order="left")

    return Subject(features, label=labelled((O.shift(-2) / O.shift(-1)).log()), horizon=1)


def scaled_by_what_it_is_used_on() -> Subject:
    """Scale by the mean and deviation of the rows that are given."""

    def transform(_state: object, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.with_columns((pl.col("r") - pl.col("r").mean()) / pl.col("r").std())

    return Subject(clean, fit=lambda _train: None, transform=transform)


def ranked_among_rows_to_come() -> Subject:
    def transform(_state: object, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.with_columns(pl.col("m").rank() / pl.len())

    return Subject(clean, fit=lambda _train: None, transform=transform)


def imputed_from_everything() -> Subject:
    """Leave the mean behind in the features, and take it from there in the fit."""
    seen: dict[str, float] = {}

    def features(panel: Panel) -> pl.DataFrame:
        made = clean(panel)
        seen["mean"] = float(made.select(pl.col("r").mean()).item() or 0.0)
        return made

    def transform(state: object, rows: pl.DataFrame) -> pl.DataFrame:
        assert isinstance(state, float)
        return rows.with_columns(pl.col("r").fill_null(state) - state)

    return Subject(features, fit=lambda _train: seen["mean"], transform=transform)


def high_of_the_day_at_its_open() -> Subject:
    """Decide at the open, with the high of the session that has just begun."""
    high = (pl.col("high") / O).log()
    return Subject(lambda p: p.bars.select(*KEYS, x=high), decides="open")
