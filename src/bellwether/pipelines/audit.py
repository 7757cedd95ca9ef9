"""Audit the platform's own chain or a user's view for leaks, and keep what was found."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uuid_utils

from bellwether.audit.found import KEYS
from bellwether.core.errors import LeakFound, UnreadableFile
from bellwether.core.ports import AuditRow, Ports, Progress, quiet
from bellwether.features.catalog import technical
from bellwether.pipelines.audit_chain import audit_view, labels_of
from bellwether.pipelines.audit_panel import (
    Bars,
    drawn,
    last_sessions,
    of_lake,
    of_source,
    without_adjustment,
)
from bellwether.pipelines.audit_process import Limits, hunt
from bellwether.pipelines.audit_report import AuditReport, of_json, told
from bellwether.pipelines.view_file import hints

OWN_SYMBOLS, VIEW_SYMBOLS = 5, 8
"""Symbols drawn for an audit of the platform's own chain, and of a user's view."""
GATE_SYMBOLS, GATE_SESSIONS = 3, 800
"""How much of the lake the audit before a release looks at."""


@dataclass(frozen=True, slots=True)
class AuditConfig:
    """What is audited: a user's view, or without one the platform's own chain.

    Bars are those of the file or folder `path`, else of the lake, else of the sample.
    """

    view: Path | None = None
    symbols: tuple[str, ...] | None = None
    path: Path | None = None
    seed: int = 0
    horizon_sessions: int = 1
    limits: Limits = field(default_factory=Limits)


def run(config: AuditConfig, ports: Ports, progress: Progress = quiet) -> AuditReport:
    """Audit, and record the report in the ledger.

    Raises
    ------
    UnreadableFile
        If there is no such view.
    BrokenView
        If the view cannot be computed on the bars.
    MissingRecord, UnknownName, InsufficientHistory
        If there are no bars to audit on.
    """
    if config.view is not None and not config.view.is_file():
        raise UnreadableFile(str(config.view), "there is no such file")
    progress("Auditing", 0, 1)
    started = ports.wall.now()
    ends = time.monotonic() + config.limits.budget_s
    bars = _bars(config, ports)
    lines: tuple[tuple[int, str], ...] = ()
    if config.view is None:
        found = told(
            audit_view(
                technical(),
                bars.panel,
                config.horizon_sessions,
                ports.calendar,
                config.seed,
                enough=lambda: time.monotonic() > ends,
            )
        )
        subject = _own(config.horizon_sessions)
    else:
        labels = labels_of(bars.panel, config.horizon_sessions, ports.calendar)
        panel = without_adjustment(bars.panel)
        found = hunt(config.view, panel, labels.select(*KEYS, "label"), config.seed, config.limits)
        subject, lines = _version(config.view), tuple(hints(config.view))
    report = of_json(
        found,
        audit_id=str(uuid_utils.uuid7()),
        subject=subject,
        panel=bars.words,
        seed=config.seed,
        seconds=(ports.wall.now() - started).total_seconds(),
        watermark=None if bars.watermark is None else str(bars.watermark),
        hints=lines,
    )
    _keep(report, bars, ports)
    progress("Auditing", 1, 1)
    return report


def _bars(config: AuditConfig, ports: Ports) -> Bars:
    most = OWN_SYMBOLS if config.view is None else VIEW_SYMBOLS
    if config.path is not None or not ports.lake.symbols():
        return of_source(config.path, config.symbols, config.seed, ports, most)
    return of_lake(config.symbols, config.seed, ports, most)


def _own(horizon: int) -> str:
    return f"{technical().version} h={horizon}"


def _version(view: Path) -> str:
    return f"{view.name}@{hashlib.sha256(view.read_bytes()).hexdigest()[:12]}"


def _keep(report: AuditReport, bars: Bars, ports: Ports) -> AuditRow:
    row = AuditRow(
        audit_id=report.audit_id,
        subject=report.subject,
        created_at=ports.wall.now(),
        watermark=bars.watermark,
        verdict=report.verdict,
        report=json.dumps(report.as_json()),
    )
    ports.ledger.record_audit(row)
    return row


def demand(
    symbols: Sequence[str], horizon: int, ports: Ports, progress: Progress = quiet
) -> AuditRow:
    """Return the green audit of the view at the lake's state; make one where there is none.

    The newest audit counts: one that found a leak bars the way until a later one is green.

    Raises
    ------
    LeakFound
        If it is not green.
    """
    watermark = ports.lake.watermark()
    subject = _own(horizon)
    known = ports.ledger.newest_audit(subject, watermark) if watermark is not None else None
    if known is None:
        progress("Auditing for leaks", 0, 1)
        known = _gate(symbols, horizon, subject, ports)
        progress("Auditing for leaks", 1, 1)
    if known.verdict != "green":
        first = json.loads(known.report)["alarms"]
        raise LeakFound(subject, first[0]["sentence"].rstrip(".") + ".", len(first))
    return known


def _gate(symbols: Sequence[str], horizon: int, subject: str, ports: Ports) -> AuditRow:
    started = ports.wall.now()
    bars = of_lake(drawn(sorted(symbols), 0, GATE_SYMBOLS), 0, ports, GATE_SYMBOLS)
    panel = last_sessions(bars.panel, GATE_SESSIONS)
    found = told(audit_view(technical(), panel, horizon, ports.calendar))
    report = of_json(
        found,
        audit_id=str(uuid_utils.uuid7()),
        subject=subject,
        panel=bars.words,
        seed=0,
        seconds=(ports.wall.now() - started).total_seconds(),
        watermark=str(bars.watermark),
    )
    return _keep(report, bars, ports)
