"""The ledger of ingestions, feature builds, runs and releases."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from bellwether.core.ports import (
    AuditRow,
    BacktestRow,
    IngestionRow,
    MaterialisationRow,
    QualityRow,
    ReleaseRow,
    RepairRow,
    RetrainingRow,
    RunRow,
    StandingRow,
    TrialRow,
)
from bellwether.database import tables
from bellwether.database.engine import fault

ROWS_A_STATEMENT = 500


class SqlLedger:
    """The Ledger port on any database that SQLAlchemy speaks to."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def record_ingestion(self, row: IngestionRow) -> None:
        """Keep one finished ingestion."""
        self._write(sa.insert(tables.ingestions).values(**asdict(row)))

    def ingestions(self) -> list[IngestionRow]:
        """List ingestions, oldest first."""
        query = sa.select(tables.ingestions).order_by("finished_at", "ingestion_id")
        return [IngestionRow(**row) for row in self._read(query)]

    def record_materialisation(self, row: MaterialisationRow) -> None:
        """Keep one feature build; the same (view, watermark) is kept once."""
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(tables.materialisations).values(**asdict(row)))
        except IntegrityError:
            return
        except SQLAlchemyError as error:
            raise fault(error) from error

    def newest_materialisation(self, view: str) -> MaterialisationRow | None:
        """Return the build of `view` with the newest watermark."""
        t = tables.materialisations
        query = sa.select(t).where(t.c.view == view).order_by(t.c.watermark.desc()).limit(1)
        rows = self._read(query)
        return MaterialisationRow(**rows[0]) if rows else None

    def record_quality(self, row: QualityRow) -> None:
        """Keep one inspection."""
        self._write(sa.insert(tables.quality_reports).values(**asdict(row)))

    def quality_reports(self, ingestion_id: str | None = None) -> list[QualityRow]:
        """List inspections, oldest first; all, or those that followed one ingestion."""
        t = tables.quality_reports
        query = sa.select(t).order_by(t.c.created_at, t.c.report_id)
        if ingestion_id is not None:
            query = query.where(t.c.ingestion_id == ingestion_id)
        return [QualityRow(**row) for row in self._read(query)]

    def newest_quality(self) -> QualityRow | None:
        """Return the newest inspection."""
        t = tables.quality_reports
        query = sa.select(t).order_by(t.c.created_at.desc(), t.c.report_id.desc()).limit(1)
        rows = self._read(query)
        return QualityRow(**rows[0]) if rows else None

    def record_repairs(self, rows: Sequence[RepairRow]) -> int:
        """Keep repairs, all or none, each `repair_id` once; return how many were new."""
        return self._add_once(tables.repairs, tables.repairs.c.repair_id, rows)

    def repairs(self, symbols: Sequence[str] | None = None) -> list[RepairRow]:
        """List repairs, oldest first; all, or those of some symbols."""
        t = tables.repairs
        query = sa.select(t).order_by(t.c.applied_at, t.c.symbol, t.c.session, t.c.field)
        if symbols is not None:
            query = query.where(t.c.symbol.in_(list(symbols)))
        return [RepairRow(**row) for row in self._read(query)]

    def record_audit(self, row: AuditRow) -> None:
        """Keep one leak audit."""
        self._write(sa.insert(tables.audits).values(**asdict(row)))

    def newest_audit(self, subject: str, watermark: datetime) -> AuditRow | None:
        """Return the newest audit of `subject` at a watermark, or None."""
        t = tables.audits
        query = sa.select(t).where(t.c.subject == subject, t.c.watermark == watermark)
        rows = self._read(query.order_by(t.c.created_at.desc(), t.c.audit_id.desc()).limit(1))
        return AuditRow(**rows[0]) if rows else None

    def record_trials(self, rows: Sequence[TrialRow]) -> int:
        """Keep trials, all or none, each `trial_id` once; return how many were new."""
        return self._add_once(tables.trials, tables.trials.c.trial_id, rows)

    def trials(self, label: str | None = None, study_id: str | None = None) -> list[TrialRow]:
        """Return trials, oldest first; all, or those of one label or study."""
        t = tables.trials
        query = sa.select(t).order_by(t.c.created_at, t.c.trial_id)
        if label is not None:
            query = query.where(t.c.label == label)
        if study_id is not None:
            query = query.where(t.c.study_id == study_id)
        return [TrialRow(**row) for row in self._read(query)]

    def record_backtest(self, row: BacktestRow) -> None:
        """Keep one finished backtest."""
        values = asdict(row) | {"symbols": json.dumps(row.symbols)}
        self._write(sa.insert(tables.backtests).values(**values))

    def backtests(self, key: str | None = None, limit: int = 100) -> list[BacktestRow]:
        """Return the newest backtests, newest first; all, or those of one question."""
        t = tables.backtests
        query = sa.select(t).order_by(t.c.finished_at.desc(), t.c.backtest_id.desc()).limit(limit)
        rows = self._read(query if key is None else query.where(t.c.key == key))
        return [
            BacktestRow(**{**row, "symbols": tuple(json.loads(row["symbols"]))}) for row in rows
        ]

    def record_run(
        self, run: RunRow, releases: Sequence[ReleaseRow], standings: Sequence[StandingRow] = ()
    ) -> None:
        """Keep a training run, its releases and how they stand, in one transaction."""
        rows = [{**asdict(r), "symbols": json.dumps(list(r.symbols))} for r in releases]
        statements = [sa.insert(tables.runs).values(**asdict(run))]
        statements += [sa.insert(tables.releases).values(**row) for row in rows]
        statements += [sa.insert(tables.standings).values(**asdict(row)) for row in standings]
        self._write(*statements)

    def record_standings(self, rows: Sequence[StandingRow]) -> int:
        """Keep how releases stand, all or none, each `standing_id` once; return how many were new."""
        return self._add_once(tables.standings, tables.standings.c.standing_id, rows)

    def standings(self, release_id: str | None = None) -> list[StandingRow]:
        """Return how releases stood, oldest first; of one, or the newest of each."""
        t = tables.standings
        query = sa.select(t)
        if release_id is not None:
            query = query.where(t.c.release_id == release_id)
        else:
            order = (t.c.created_at.desc(), t.c.standing_id.desc())
            place = sa.func.row_number().over(partition_by=t.c.release_id, order_by=order)
            placed = sa.select(t.c.standing_id, place.label("place")).subquery()
            newest = sa.select(placed.c.standing_id).where(placed.c.place == 1)
            query = query.where(t.c.standing_id.in_(newest))
        rows = self._read(query.order_by(t.c.created_at, t.c.standing_id))
        return [StandingRow(**row) for row in rows]

    def record_retraining(self, row: RetrainingRow) -> None:
        """Keep one decision on training again."""
        self._write(sa.insert(tables.retrainings).values(**asdict(row)))

    def retrainings(self, scope: str | None = None) -> list[RetrainingRow]:
        """Return the decisions on training again, oldest first; all, or those of a scope."""
        t = tables.retrainings
        query = sa.select(t).order_by(t.c.finished_at, t.c.retraining_id)
        rows = self._read(query if scope is None else query.where(t.c.scope == scope))
        return [RetrainingRow(**row) for row in rows]

    def run_by_key(self, key: str) -> RunRow | None:
        """Return the newest run with this key, or None."""
        t = tables.runs
        query = sa.select(t).where(t.c.key == key).order_by(t.c.finished_at.desc()).limit(1)
        rows = self._read(query)
        return RunRow(**rows[0]) if rows else None

    def runs(self, *, unmirrored: bool = False) -> list[RunRow]:
        """List runs, oldest first."""
        t = tables.runs
        query = sa.select(t).order_by(t.c.finished_at, t.c.run_id)
        if unmirrored:
            query = query.where(t.c.mirrored.is_(False))
        return [RunRow(**row) for row in self._read(query)]

    def mark_mirrored(self, run_id: str) -> None:
        """Note that a run has been mirrored to the tracker."""
        t = tables.runs
        self._write(sa.update(t).where(t.c.run_id == run_id).values(mirrored=True))

    def releases(self) -> list[ReleaseRow]:
        """List releases, newest first."""
        t = tables.releases
        query = sa.select(t).order_by(t.c.created_at.desc(), t.c.scope, t.c.release_id)
        rows = self._read(query)
        return [ReleaseRow(**{**r, "symbols": tuple(json.loads(r["symbols"]))}) for r in rows]

    def _add_once(self, table: sa.Table, key: sa.Column[str], rows: Sequence[Any]) -> int:
        """Insert rows whose key is not there yet, in one transaction; return how many."""
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        added = 0
        try:
            with self._engine.begin() as connection:
                for i in range(0, len(rows), ROWS_A_STATEMENT):
                    some = [asdict(row) for row in rows[i : i + ROWS_A_STATEMENT]]
                    insert = dialect.insert(table).values(some).on_conflict_do_nothing()
                    added += len(connection.execute(insert.returning(key)).all())
        except SQLAlchemyError as error:
            raise fault(error) from error
        return added

    def _write(self, *statements: sa.Executable) -> None:
        try:
            with self._engine.begin() as connection:
                for statement in statements:
                    connection.execute(statement)
        except SQLAlchemyError as error:
            raise fault(error) from error

    def _read(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        try:
            with self._engine.connect() as connection:
                return [dict(row) for row in connection.execute(query).mappings()]
        except SQLAlchemyError as error:
            raise fault(error) from error
