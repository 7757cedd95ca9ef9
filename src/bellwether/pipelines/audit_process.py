"""Runs a user's view in processes of its own, with limits of time and memory."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from bellwether.audit.found import Panel
from bellwether.core.errors import BrokenView

CHILD = "bellwether.pipelines.audit_child"
SHOWN = 3000


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a view may take in all, how long the audit goes on asking, and its memory; the horizon of the labels it gets."""

    budget_s: float = 45.0
    time_s: float = 300.0
    memory_mb: int = 8192
    horizon: int = 1


def hunt(
    view: Path, panel: Panel, labels: pl.DataFrame, seed: int, limits: Limits
) -> dict[str, Any]:
    """Audit the file and return the findings as JSON holds them.

    Raises
    ------
    BrokenView
        If the file cannot be used, or needs more time or memory than it may have.
    """
    job = {"view": str(view.resolve()), "seed": seed, "budget_s": limits.budget_s,
           "memory_mb": limits.memory_mb, "clock": False, "horizon": limits.horizon}  # fmt: skip
    with _folder(panel, labels) as folder:
        found = _run(folder, "hunt", job, view, limits)
        blamed = {a["feature"] for a in found["alarms"] if a["kind"] != "too_good"}
        for clock in (False, True):
            cold = _run(folder, "cold", job | {"clock": clock}, view, limits)
            new = [a for a in cold["alarms"] if a["feature"] not in blamed]
            blamed |= {a["feature"] for a in new}
            found["alarms"] += new
            found["notes"] += cold["notes"]
            found["cells"] += cold["cells"]
            found["checks"] |= cold["checks"]
    return found


@contextmanager
def _folder(panel: Panel, labels: pl.DataFrame) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bellwether-audit-") as name:
        folder = Path(name)
        panel.bars.write_parquet(folder / "bars.parquet")
        assert panel.universe is not None  # noqa: S101
        panel.universe.write_parquet(folder / "universe.parquet")
        labels.write_parquet(folder / "labels.parquet")
        yield folder


def _run(
    folder: Path, mode: str, job: dict[str, Any], view: Path, limits: Limits
) -> dict[str, Any]:
    (folder / "job.json").write_text(json.dumps(job))
    command = [sys.executable, "-m", CHILD, str(folder), mode]
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limits.time_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        why = f"took longer than {limits.time_s:.0f} s and was stopped"
        raise BrokenView(view.name, why, "") from error
    answer = folder / f"answer-{mode}.json"
    if not answer.exists():
        why = f"ended its process ({done.returncode})"
        raise BrokenView(view.name, why, done.stderr[-SHOWN:])
    found: dict[str, Any] = json.loads(answer.read_text())
    answer.unlink()
    if "broken" in found:
        raise BrokenView(view.name, found["broken"], found["trace"])
    return found
