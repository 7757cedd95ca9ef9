"""How well planted faults are found: each flag and each fault is right or wrong by the answer key."""

from dataclasses import dataclass

import polars as pl
from tests.plant import Planted


@dataclass(frozen=True)
class Score:
    """Counts by kind: planted, found, flags, flags that are right."""

    planted: int
    found: int
    flags: int
    right: int

    @property
    def recall(self) -> float:
        """Return the share of faults that a flag of the same kind names."""
        return self.found / self.planted if self.planted else 1.0

    @property
    def precision(self) -> float:
        """Return the share of flags that lie in a planted fault of the same kind."""
        return self.right / self.flags if self.flags else 1.0


def score(flags: pl.DataFrame, key: list[Planted]) -> dict[str, Score]:
    """Compare faults and suspects with the key: same symbol, same kind, session inside the fault."""
    faults = pl.DataFrame(
        [(i, p.symbol, p.first, p.last, p.kind) for i, p in enumerate(key)],
        schema=["fault", "symbol", "first", "last", "kind"],
        orient="row",
    )
    blamed = flags.filter(pl.col("severity") != "note").with_row_index("flag")
    hits = blamed.join(faults, on=["symbol", "kind"]).filter(
        pl.col("session").is_between("first", "last")
    )
    found, right = set(hits["fault"]), set(hits["flag"])
    scores = {}
    for kind in sorted({*faults["kind"], *blamed["kind"]}):
        mine = faults.filter(pl.col("kind") == kind)["fault"].to_list()
        told = blamed.filter(pl.col("kind") == kind)["flag"].to_list()
        scores[kind] = Score(
            len(mine), sum(i in found for i in mine), len(told), sum(i in right for i in told)
        )
    scores["all"] = Score(faults.height, len(found), blamed.height, len(right))
    return scores
