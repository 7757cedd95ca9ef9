"""Whether a value depends on where history starts."""

import polars as pl

from bellwether.audit.cells import differences, tidy
from bellwether.audit.found import KEYS, Note, Panel, Subject

LOOK_BACK = 504
"""Sessions of history that a value should need at most."""
WORTH = 1e-3
"""A relative difference of a tenth of a percent is worth a note."""


def warm_up(subject: Subject, panel: Panel, full: pl.DataFrame) -> list[Note]:
    """Note the features whose newest value changes when history starts later.

    It is no leak, for the earlier bars were known; but a value is only reproduced by whoever has
    the same first bar.
    """
    days = panel.bars["session"].unique().sort()
    if len(days) < 2 * LOOK_BACK:
        return []
    late = Panel(
        panel.bars.filter(pl.col("session") >= days[-LOOK_BACK]), panel.universe, panel.texts
    )
    try:
        other = tidy(subject.features(late))
    except Exception as error:  # noqa: BLE001 - the subject's own; it is told
        return [Note("warm-up", "(all)", f"{LOOK_BACK} sessions are too few: {error}"[:200])]
    last = days[-1]
    one, two = (f.filter(pl.col("session") == last) for f in (full, other))
    two = two.join(one.select(KEYS), on=KEYS, how="semi", maintain_order="left")
    found = [d for d in differences(one, two, last, WORTH) if d.feature in full.columns]
    if not found:
        return []
    d, names = found[0], ", ".join(f.feature for f in found)
    said = (
        f"{names}: the newest value depends on where history starts ({d.feature} of {d.symbol} on "
        f"{d.session} is {d.known} from the first bar on and {d.other} with the last {LOOK_BACK} "
        "sessions alone)"
    )
    return [Note("warm-up", names, said)]
