"""Audit the platform's own views with their chain, or a user's view, and keep what was found."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import uuid_utils

from bellwether.audit.found import KEYS
from bellwether.core.errors import InvalidRequest, LeakFound, UnknownName, UnreadableFile
from bellwether.core.ports import AuditRow, Ports, Progress, quiet
from bellwether.features.views import DEFAULT, Kept, views
from bellwether.features.views import view as named
from bellwether.inference.texts import as_scored, read_view
from bellwether.pipelines.audit_chain import audit_view, labels_of
from bellwether.pipelines.audit_panel import (
    Bars,
    drawn,
    last_sessions,
    of_lake,
    of_source,
    with_texts,
    without_adjustment,
)
from bellwether.pipelines.audit_process import Limits, hunt
from bellwether.pipelines.audit_report import AuditReport, of_json, told
from bellwether.pipelines.sections import newest_state
from bellwether.pipelines.view_file import hints

OWN_SYMBOLS, VIEW_SYMBOLS = 5, 8
"""Symbols drawn for an audit of the platform's own chain, and of a user's view."""
GATE_SYMBOLS, GATE_SESSIONS, GATE_JUDGED = 3, 800, 740
"""How much of the lake the audit before a release looks at: sessions, and at least after warm-up."""


@dataclass(frozen=True, slots=True)
class AuditConfig:
    """What is audited: a user's view in the file `view`, or without one the own view `name`.

    Bars are those of the file or folder `path`, else of the lake, else of the sample. A view that
    looks across symbols does so across the members of `universe` where one is named.
    """

    view: Path | None = None
    symbols: tuple[str, ...] | None = None
    path: Path | None = None
    seed: int = 0
    horizon_sessions: int = 1
    limits: Limits = field(default_factory=Limits)
    name: str = DEFAULT
    universe: str | None = None


def run(config: AuditConfig, ports: Ports, progress: Progress = quiet) -> AuditReport:
    """Audit, and record the report in the ledger.

    Raises
    ------
    UnreadableFile
        If there is no such file of a view.
    UnknownName, InvalidRequest
        If there is no own view of that name, no such universe, or no such symbol.
    BrokenView
        If the view cannot be computed on the bars.
    MissingRecord, InsufficientHistory
        If there are no bars to audit on.
    """
    progress("Auditing", 0, 1)
    if config.view is None:
        kept = Kept(read_view(config.name, ports), config.universe)
        report = _own(kept, config, _bars(config, ports), ports)
    else:
        report = _users(config.view, config, ports)
    progress("Auditing", 1, 1)
    return report


def run_all(config: AuditConfig, ports: Ports, progress: Progress = quiet) -> list[AuditReport]:
    """Audit every view of the platform on the same bars, in one budget; each is recorded.

    Raises
    ------
    MissingRecord, UnknownName, InsufficientHistory
        If there are no bars to audit on.
    """
    bars, reports = _bars(config, ports), []
    ends = time.monotonic() + config.limits.budget_s
    for done, view in enumerate(views().values()):
        progress(f"Auditing {view.name}", done, len(views()))
        share = max(0.0, ends - time.monotonic()) / (len(views()) - done)
        mine = replace(config, limits=replace(config.limits, budget_s=share))
        reports.append(_own(Kept(as_scored(view, ports)), mine, bars, ports))
    progress("Auditing", len(views()), len(views()))
    return reports


def _own(kept: Kept, config: AuditConfig, bars: Bars, ports: Ports) -> AuditReport:
    started, ends = ports.wall.now(), time.monotonic() + config.limits.budget_s
    _check_universe(kept, bars)
    bars = _whole(kept, bars, config.seed, ports)
    found = audit_view(
        kept,
        bars.panel,
        config.horizon_sessions,
        ports.calendar,
        config.seed,
        enough=lambda: time.monotonic() > ends,
    )
    subject = _subject(kept, config.horizon_sessions)
    return _reported(told(found), subject, started, config.seed, bars, ports)[0]


def _users(view: Path, config: AuditConfig, ports: Ports) -> AuditReport:
    if not view.is_file():
        raise UnreadableFile(str(view), "there is no such file")
    started, bars = ports.wall.now(), _bars(config, ports)
    labels = labels_of(bars.panel, config.horizon_sessions, ports.calendar)
    panel = without_adjustment(bars.panel)
    found = hunt(view, panel, labels.select(*KEYS, "label"), config.seed, config.limits)
    lines = tuple(hints(view))
    return _reported(found, _version(view), started, config.seed, bars, ports, lines)[0]


def _reported(
    found: dict[str, Any],
    subject: str,
    started: datetime,
    seed: int,
    bars: Bars,
    ports: Ports,
    lines: tuple[tuple[int, str], ...] = (),
) -> tuple[AuditReport, AuditRow]:
    """Make the report of what was found, and record it."""
    report = of_json(
        found,
        audit_id=str(uuid_utils.uuid7()),
        subject=subject,
        panel=bars.words,
        seed=seed,
        seconds=(ports.wall.now() - started).total_seconds(),
        watermark=None if bars.watermark is None else str(bars.watermark),
        hints=lines,
    )
    return report, _keep(report, bars, ports)


def _whole(kept: Kept, bars: Bars, seed: int, ports: Ports) -> Bars:
    """Return the bars with all that the view reads beside them, at the state of all of it."""
    whole = with_texts(bars, kept.view, seed, ports)
    states = None if bars.watermark is None else newest_state([Kept(kept.view)], ports)
    return whole if states is None else replace(whole, watermark=states[0])


def _bars(config: AuditConfig, ports: Ports) -> Bars:
    most = OWN_SYMBOLS if config.view is None else VIEW_SYMBOLS
    if config.path is not None or not ports.lake.symbols():
        return of_source(config.path, config.symbols, config.seed, ports, most)
    return of_lake(config.symbols, config.seed, ports, most)


def _check_universe(kept: Kept, bars: Bars) -> None:
    if kept.universe is None:
        return
    if not kept.view.across:
        raise InvalidRequest("universe", f"the view {kept.view.name} does not look across symbols")
    told = bars.panel.universe
    names = [] if told is None else told["universe"].unique().sort().to_list()
    if kept.universe not in names:
        raise UnknownName("universe", kept.universe, names, "None of these bars is of a member.")


def _subject(kept: Kept, horizon: int) -> str:
    return f"{kept.name} h={horizon}"


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
    symbols: Sequence[str],
    horizon: int,
    ports: Ports,
    progress: Progress = quiet,
    kept: Kept | None = None,
) -> AuditRow:
    """Return the green audit of a view at the lake's state; make one where there is none.

    The newest audit counts: one that found a leak bars the way until a later one is green. Without
    `kept` the view is `technical`.

    Raises
    ------
    LeakFound
        If it is not green.
    """
    asked = kept or Kept(named(DEFAULT))
    states, subject = newest_state([Kept(asked.view)], ports), _subject(asked, horizon)
    known = ports.ledger.newest_audit(subject, states[0]) if states is not None else None
    if known is None:
        progress("Auditing for leaks", 0, 1)
        known = _gate(asked, symbols, horizon, ports)
        progress("Auditing for leaks", 1, 1)
    if known.verdict != "green":
        first = json.loads(known.report)["alarms"]
        raise LeakFound(subject, first[0]["sentence"].rstrip(".") + ".", len(first))
    return known


def _gate(kept: Kept, symbols: Sequence[str], horizon: int, ports: Ports) -> AuditRow:
    started = ports.wall.now()
    bars = of_lake(drawn(sorted(symbols), 0, GATE_SYMBOLS), 0, ports, GATE_SYMBOLS)
    bars = _whole(kept, bars, 0, ports)
    judged = max(GATE_SESSIONS, kept.view.warm_up + GATE_JUDGED)
    panel = last_sessions(bars.panel, judged)
    found = told(audit_view(kept, panel, horizon, ports.calendar))
    return _reported(found, _subject(kept, horizon), started, 0, bars, ports)[1]
