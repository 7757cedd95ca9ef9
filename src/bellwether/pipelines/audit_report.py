"""What an audit says: a verdict, each leak with its first cell, and how much was looked at."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from bellwether.audit.found import Alarm, Findings

GREEN, LEAK = "green", "leak"
NAMED = 20


@dataclass(frozen=True, slots=True)
class AuditReport:
    """One audit; `subject` is the view's version, `watermark` the lake's state it was made on.

    `hints` are lines of a user's file in which look-ahead is usually written.
    """

    audit_id: str
    subject: str
    panel: str
    seed: int
    verdict: str
    alarms: tuple[dict[str, Any], ...]
    notes: tuple[dict[str, Any], ...]
    checks: dict[str, int]
    cells: int
    left_out: int
    seconds: float
    watermark: str | None = None
    hints: tuple[tuple[int, str], ...] = field(default=())

    @property
    def green(self) -> bool:
        """Whether no leak was found."""
        return self.verdict == GREEN

    def lines(self) -> list[str]:
        """Say it in words, the leaks first."""
        told = [
            f"LEAK {a['kind']} ({a['check']}): {a['sentence'].rstrip('.')}."
            for a in self.alarms[:NAMED]
        ]
        if len(self.alarms) > NAMED:
            told.append(f"... and {len(self.alarms) - NAMED} more; --json lists all.")
        if self.alarms and self.hints:
            told += [f"Look at line {n}: {code}" for n, code in self.hints[:8]]
        told += [f"Note ({n['check']}): {n['sentence']}." for n in self.notes[:NAMED]]
        left = f"; {self.left_out} comparisons left out for lack of time" if self.left_out else ""
        done = ", ".join(f"{n} {check}" for check, n in self.checks.items())
        n = len(self.alarms)
        head = "No leak found" if self.green else f"{n} leak{'s' * (n != 1)} found"
        told.append(
            f"{head} in {self.subject} over {self.panel}: {self.cells:,} cells compared in "
            f"{self.seconds:.1f} s ({done}){left}."
        )
        return told

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        plain_self: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return plain_self | {"green": self.green}


def plain(alarm: Alarm) -> dict[str, Any]:
    """Return an alarm as JSON can hold it."""
    found: dict[str, Any] = json.loads(json.dumps(asdict(alarm), default=str))
    return found


def told(findings: Findings) -> dict[str, Any]:
    """Return findings as JSON can hold them."""
    return {
        "alarms": [plain(a) for a in findings.alarms],
        "notes": [asdict(n) for n in findings.notes],
        "checks": dict(findings.checks),
        "cells": findings.cells,
        "left_out": findings.left_out,
    }


def of_json(data: dict[str, Any], **named: Any) -> AuditReport:
    """Return the report of what `told` gave."""
    return AuditReport(
        verdict=LEAK if data["alarms"] else GREEN,
        alarms=tuple(data["alarms"]),
        notes=tuple(data["notes"]),
        checks=data["checks"],
        cells=data["cells"],
        left_out=data["left_out"],
        **named,
    )
