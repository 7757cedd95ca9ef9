"""Every planted leak is caught and named, through the checks and through the command's own door."""

import inspect
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.leaks import by_pandas, by_polars, in_chain
from typer.testing import CliRunner

from bellwether.audit.causal import QUICK, THOROUGH, audit
from bellwether.audit.cells import tidy
from bellwether.audit.chain import audit_chain
from bellwether.audit.found import KEYS, Alarm, Panel, Subject
from bellwether.bootstrap import bootstrap
from bellwether.cli.main import app
from bellwether.core.asof import as_of
from bellwether.core.calendar import SessionCalendar, session_calendar
from bellwether.core.errors import BrokenView, LeakFound, UnreadableFile
from bellwether.core.ports import AuditRow, LakeBatch, Ports, SourceQuery
from bellwether.core.schemas import BARS_IN, UTC_TIME
from bellwether.features.adjust import adjust_forward
from bellwether.features.catalog import technical
from bellwether.features.views import Kept, views
from bellwether.features.views import view as declared
from bellwether.pipelines import audit as use
from bellwether.pipelines import ingest, train, view_file
from bellwether.pipelines.audit_chain import audit_view
from bellwether.pipelines.audit_panel import last_sessions, of_source, without_adjustment
from bellwether.pipelines.audit_process import Limits
from bellwether.pipelines.view_file import to_pandas, to_polars
from bellwether.settings import Settings

LEAKS = Path(__file__).parents[1] / "leaks" / "files"
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
TWO = ("IBM", "MSFT")
BRIEF = Limits(budget_s=1.0, time_s=120.0)

KINDS = {
    "back_filled": "back_fill",
    "back_filled_dividends": "later_adjustment",
    "calendar_day_off": "next_session",
    "centred_window": "centred_window",
    "clusters": "future_cross_section",
    "days_before_splits": "next_session",
    "dropped_with_the_future": "row_selection",
    "five_years_later": "full_sample",
    "forward_asof": "later_adjustment",
    "fourier": "full_sample",
    "fridays_of_one_symbol": "next_session",
    "full_sample_scaling": "full_sample",
    "future_fitted_selection": "future_cross_section",
    "gaussian": "centred_window",
    "interpolated": "centred_window",
    "interpolated_weeks": "centred_window",
    "later_adjustment": "later_adjustment",
    "maximum_of_the_sample": "full_sample",
    "mean_of_survivors": "universe",
    "merge_off_by_one": "next_session",
    "month_ends_only": "next_session",
    "nearest_event": "later_adjustment",
    "newest_members": "universe",
    "one_symbol_only": "next_session",
    "only_long_histories": "length",
    "open_label_of_yesterday": "next_session",
    "pivot_filled_back": "full_sample",
    "principal_component": "future_cross_section",
    "quantile_of_the_sample": "full_sample",
    "rank_over_all_dates": "future_cross_section",
    "rank_with_tomorrow": "centred_window",
    "resampled": "centred_window",
    "reversed_ewm": "centred_window",
    "savitzky_golay": "centred_window",
    "scaler": "future_cross_section",
    "scaling_over_all_symbols": "later_volume",
    "seeded_by_length": "length",
    "shift_minus_one": "next_session",
    "spilled_rows": "shift_of_rows",
    "target_encoding": "full_sample",
    "tiny": "next_session",
    "todays_universe": "universe",
    "volume_filter_of_the_future": "row_selection",
    "weekly_bars": "centred_window",
}
IN_CHAIN = {
    "close_to_close": "same_bar_fill",
    "filled_at_the_close_that_decides": "same_bar_fill",
    "filled_at_the_same_open": "same_bar_fill",
    "folds_without_purge": "label_overlap",
    "high_of_the_day_at_its_open": "same_bar",
    "horizon_understated": "label_overlap",
    "imputed_from_everything": "fit_scope",
    "label_among_features": "label_in_features",
    "pays_the_same_close": "same_bar_fill",
    "ranked_among_rows_to_come": "fit_scope",
    "scaled_by_what_it_is_used_on": "fit_scope",
    "shuffled_folds": "label_overlap",
}


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Ports:
    return bootstrap(Settings(home=tmp_path_factory.mktemp("audits"))).ports


@pytest.fixture(scope="module")
def panel(wired: Ports) -> Panel:
    return without_adjustment(of_source(None, None, 0, wired, 8).panel)


def never() -> bool:
    return False


def subject_of(name: str) -> Subject:
    planted: Callable[..., pl.DataFrame] | None = getattr(by_polars, name, None)
    if planted is None:
        pandas = getattr(by_pandas, name)
        return Subject(lambda p: to_polars(pandas(to_pandas(p.bars)), p.bars))
    if len(inspect.signature(planted).parameters) > 1:
        return Subject(lambda p: planted(p.bars, p.universe))
    return Subject(lambda p: planted(p.bars))


def caught(alarms: list[Alarm], kind: str, feature: str) -> Alarm:
    mine = [a for a in alarms if a.kind == kind and a.feature == feature]
    assert mine, [(a.check, a.kind, a.feature, a.sentence) for a in alarms]
    return mine[0]


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_planted_leak_is_caught_and_named(name: str, panel: Panel) -> None:
    found = audit(subject_of(name), panel, 0, THOROUGH, never).found

    kind = KINDS[name]
    of_rows = {"row_selection", "universe"} & {kind} and name not in {
        "mean_of_survivors",
        "newest_members",
    }
    alarm = caught(found.alarms, kind, "(row)" if of_rows else "x")
    assert alarm.symbol in panel.bars["symbol"]
    assert alarm.session is not None
    assert alarm.known_by is not None
    assert alarm.session <= alarm.known_by
    assert alarm.then != alarm.later
    assert alarm.symbol in alarm.sentence
    assert str(alarm.session) in alarm.sentence


@pytest.mark.parametrize("name", sorted(IN_CHAIN))
def test_a_leak_beyond_the_features_is_caught_and_named(name: str, panel: Panel) -> None:
    subject: Subject = getattr(in_chain, name)()
    hunt = audit(subject, panel, 0, QUICK, never)
    hunt.found.add(audit_chain(subject, panel, hunt.full, hunt.rng))

    assert IN_CHAIN[name] in {a.kind for a in hunt.found.alarms}


def test_all_that_is_planted_is_tried() -> None:
    written = {
        name
        for module in (by_polars, by_pandas, in_chain)
        for name, f in inspect.getmembers(module, inspect.isfunction)
        if f.__module__ == module.__name__ and not name.startswith("_")
    } - {"one", "clean", "labelled"}

    assert written == {*KINDS, *IN_CHAIN}


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("remembers", "state"),
        ("remembers_all", "state"),
        ("reads_the_clock", "state"),
        ("reads_corrections", "later_knowledge"),
        ("order_of_calls", "not_repeatable"),
    ],
)
def test_a_file_that_keeps_a_state_is_caught_by_fresh_processes(
    file: str, kind: str, wired: Ports
) -> None:
    config = use.AuditConfig(LEAKS / f"{file}.py", TWO, limits=Limits(20.0, 120.0))
    report = use.run(config, wired)

    assert not report.green
    assert kind in {a["kind"] for a in report.alarms}
    assert any(line.startswith("LEAK") and " x of " in line for line in report.lines())


@pytest.mark.parametrize("file", ["view_polars.py", "view_pandas.py"])
def test_the_examples_are_green(file: str, wired: Ports) -> None:
    report = use.run(use.AuditConfig(EXAMPLES / file, TWO, limits=BRIEF), wired)

    assert report.green, report.lines()
    assert report.checks["truncation"] >= 9
    assert "No leak found" in report.lines()[-1]


def view(folder: Path, text: str) -> Path:
    made = folder / "mine.py"
    made.write_text(text)
    return made


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def features(panel)\n    return 1", "SyntaxError"),
        ("def features(panel):\n    return panel.select(x=panel['nope'])", "line 2, in features"),
        ("import os\ndef features(panel):\n    os._exit(7)", "ended its process (7)"),
        ("def features(panel):\n    return bytearray(10**12)", "MB of memory"),
        ("def features(panel):\n    return panel.vstack(panel)", "more than once"),
    ],
)  # fmt: skip
def test_a_broken_file_is_told_with_its_own_words(
    text: str, said: str, tmp_path: Path, wired: Ports
) -> None:
    config = use.AuditConfig(view(tmp_path, text), TWO, limits=BRIEF)

    with pytest.raises(BrokenView) as error:
        use.run(config, wired)

    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise RuntimeError('at once')", "RuntimeError: at once"),
        ("x = 1", "neither features"),
        ("def features(panel):\n    return panel\nHORIZON = 0", "HORIZON is 0"),
        ("def features(panel):\n    return panel\nFILLS = 'noon'", "FILLS is 'noon'"),
        ("def features(panel):\n    return panel\nDECIDES = 3", "DECIDES is 3"),
    ],
)
def test_a_file_that_defines_nonsense_is_refused(
    text: str, said: str, tmp_path: Path, panel: Panel
) -> None:
    with pytest.raises(BrokenView) as error:
        view_file.subject_of(view_file.load(view(tmp_path, text)), panel)

    assert said in str(error.value)


FORMS = {
    "columns": "return pd.DataFrame({'symbol': p.symbol, 'session': p.session, 'x': p.close})",
    "rows of the input": "return p[['close']].rename(columns={'close': 'x'})[::-1]",
    "index": "return p.set_index(['symbol', 'session'])[['close']].set_axis(['x'], axis=1)",
    "series": "return p['close'].rename('x')",
    "by symbol": "return p.groupby('symbol')[['close']].apply(lambda g: g).set_axis(['x'], axis=1)",
    "array": "return p[['close']].to_numpy()",
}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_pandas_may_answer_in_many_forms(form: str, tmp_path: Path, panel: Panel) -> None:
    text = f"import pandas as pd\ndef features(p: pd.DataFrame):\n    {FORMS[form]}"
    subject = view_file.subject_of(view_file.load(view(tmp_path, text)), panel)

    made = tidy(subject.features(panel))

    assert made.rename({made.columns[2]: "x"}).equals(
        panel.bars.select("symbol", "session", x="close")
    )


def test_a_view_that_does_not_end_is_stopped(tmp_path: Path, wired: Ports) -> None:
    endless = view(tmp_path, "def features(panel):\n    while True: pass")

    with pytest.raises(BrokenView, match="longer than 3 s"):
        use.run(use.AuditConfig(endless, limits=Limits(time_s=3.0)), wired)


def test_a_view_that_is_not_there(tmp_path: Path, wired: Ports) -> None:
    with pytest.raises(UnreadableFile):
        use.run(use.AuditConfig(tmp_path / "none.py"), wired)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("BELLWETHER_HOME", str(tmp_path / "home"))
    return CliRunner()


def test_the_command_says_leak_with_three_and_broken_with_one(
    asked: CliRunner, tmp_path: Path
) -> None:
    leak = view(
        tmp_path,
        "import polars as pl\n"
        "def features(panel):\n"
        "    return panel.select('symbol', 'session', ahead=pl.col('close').shift(-1).over('symbol'))",
    )
    told = asked.invoke(app, ["features", "audit", "--view", str(leak), "--budget", "1", "--json"])

    assert told.exit_code == 3
    report = json.loads(told.output)
    assert report["alarms"][0]["kind"] == "next_session"
    assert report["alarms"][0]["feature"] == "ahead"
    assert report["hints"][0][0] == 3

    broken = view(tmp_path, "raise ValueError('no')")
    assert asked.invoke(app, ["features", "audit", "--view", str(broken)]).exit_code == 1
    missing = ["features", "audit", "--view", str(tmp_path / "none.py")]
    assert asked.invoke(app, missing).exit_code == 2
    nobody = ["features", "audit", "--view", str(leak), "--symbols", "NOBODY"]
    assert asked.invoke(app, nobody).exit_code == 2


def test_bars_of_a_file_are_audited_on(tmp_path: Path, wired: Ports, panel: Panel) -> None:
    bars = panel.bars.filter(pl.col("symbol") == "IBM").tail(400)
    bars.select("symbol", "session", "open", "high", "low", "close", "volume").write_csv(
        tmp_path / "ibm.csv"
    )
    clean = view(
        tmp_path,
        "import polars as pl\n"
        "def features_of(bars):\n"
        "    return bars.select('session', x=pl.col('close').rolling_mean(5))",
    )

    report = use.run(use.AuditConfig(clean, path=tmp_path / "ibm.csv", limits=BRIEF), wired)

    assert report.green, report.lines()
    assert "ibm.csv" in report.panel


@pytest.mark.parametrize("name", ["technical", "+".join(views())], ids=["technical", "all"])
def test_the_catalogue_is_green_on_the_sample(name: str, wired: Ports) -> None:
    bars = of_source(None, ("AAPL", "IBM", "GOOG"), 0, wired, 3)
    kept = Kept(declared(name))
    panel = last_sessions(bars.panel, 800 + kept.view.warm_up)
    found = audit_view(kept, panel, 5, session_calendar())

    assert found.alarms == []
    assert {"truncation", "late correction", "fit scope", "folds", "label"} <= set(found.checks)


def test_a_section_that_reads_a_bar_before_it_was_known_is_caught(
    wired: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The platform as it was: a gap filled from behind was read by what was decided before."""

    def newest_state(
        bars: pl.DataFrame, calendar: SessionCalendar, until: datetime, _texts: pl.DataFrame | None
    ) -> Iterator[tuple[pl.DataFrame, pl.Series]]:
        series = adjust_forward(as_of(bars, until, KEYS), calendar)
        yield series, series["knowledge_time"] <= until

    monkeypatch.setattr("bellwether.pipelines.audit_chain.states", newest_state)
    bars = of_source(None, ("AAPL", "IBM", "GOOG"), 0, wired, 3)
    found = audit_view(
        Kept(declared("section")), last_sessions(bars.panel, 900), 1, session_calendar()
    )

    assert "late knowledge" in {a.check for a in found.alarms}
    assert "later_knowledge" in {a.kind for a in found.alarms}


def test_the_command_audits_every_view_or_the_one_that_is_named(tmp_path: Path) -> None:
    asked = CliRunner(env={"BELLWETHER_HOME": str(tmp_path)})
    brief = ["--symbols", "FB", "--budget", "1", "--json"]

    every = asked.invoke(app, ["features", "audit", *brief])
    named = asked.invoke(app, ["features", "audit", "--view", "calendar+returns", *brief])

    assert (every.exit_code, named.exit_code) == (0, 0), every.output + named.output
    told = json.loads(every.stdout)
    assert told["green"] is True
    assert [a["subject"].split("@")[0] for a in told["audits"]] == list(views())
    subject = f"{declared('returns+calendar').version} h=1"
    assert json.loads(named.stdout)["subject"] == subject


def test_training_asks_for_a_green_audit_once_and_refuses_without(tmp_path: Path) -> None:
    ports = bootstrap(Settings(home=tmp_path)).ports
    ingest.run(ingest.IngestConfig("sample", SourceQuery(symbols=("AAPL", "IBM"))), ports)
    config = train.TrainConfig(model="historical_mean", against=(), each=False)
    watermark = ports.lake.watermark()
    assert watermark is not None

    train.run(config, ports)
    subject = f"{technical().version} h=1"
    kept = ports.ledger.newest_audit(subject, watermark)
    assert kept is not None
    assert kept.verdict == "green"
    assert use.demand(["AAPL", "IBM"], 1, ports) == kept

    found = {"alarms": [{"sentence": "x of IBM on 2010-01-04 looks ahead."}]}
    leak = AuditRow("a", subject, datetime.now(UTC), watermark, "leak", json.dumps(found))
    ports.ledger.record_audit(leak)
    before = ports.ledger.releases()
    with pytest.raises(LeakFound, match="IBM on 2010-01-04"):
        train.run(train.TrainConfig(model="historical_mean", against=(), each=False, seed=1), ports)
    assert ports.ledger.releases() == before
    ports.log.close()


def test_a_bar_that_was_corrected_late_does_not_keep_training_from_its_audit(
    tmp_path: Path,
) -> None:
    ports = bootstrap(Settings(home=tmp_path)).ports
    ingest.run(ingest.IngestConfig("sample", SourceQuery(symbols=("IBM",))), ports)
    bars = ports.lake.bars(["IBM"])
    told = bars.filter(pl.col("session") == bars["session"][3000]).select(list(BARS_IN.columns))
    when = pl.lit(ports.clock.now() - timedelta(days=9)).cast(UTC_TIME)
    corrected = told.with_columns(
        pl.col("high") * 1.001, knowledge_time=when, knowledge_basis=pl.lit("stated")
    )
    assert ports.lake.append(LakeBatch(bars=corrected), ports.wall.now()).revised == 1

    report = train.run(train.TrainConfig(model="historical_mean", against=(), each=False), ports)

    assert report.outcome["releases"]
    ports.log.close()


@pytest.mark.slow
@pytest.mark.parametrize("file", ["view_polars.py", "view_pandas.py"])
def test_the_examples_are_green_at_full_effort(file: str, wired: Ports) -> None:
    report = use.run(use.AuditConfig(EXAMPLES / file, limits=Limits(120.0, 600.0)), wired)

    assert report.green, report.lines()
    assert report.left_out == 0


PANELS = (
    "alphavantage_sp500_raw_1999_2021",
    "google_second_source_1987_2014",
    "hsmd_long_1962_2017",
    "stocknet_prices_2012_2014",
    "wiki_spy_members_2013_2018",
    "yahoo_adj_sp500hist_2004_2026",
    "yahoo_etf46_1995_2026",
)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", PANELS)
def test_no_alarm_on_real_bars(name: str, wired: Ports, shared_data: Path) -> None:
    path = shared_data / f"{name}.parquet"
    config = use.AuditConfig(path=path, seed=1, limits=Limits(90.0))
    for report in use.run_all(config, wired):
        assert report.green, report.lines()
    for file in ("view_polars.py", "view_pandas.py"):
        config = use.AuditConfig(EXAMPLES / file, path=path, limits=Limits(60.0, 600.0))
        report = use.run(config, wired)
        assert report.green, report.lines()


def test_cuts_reach_the_ends(panel: Panel) -> None:
    """The nine cuts of the rule: five in a row and four spread, none at the last session."""
    from bellwether.audit.plan import base_cuts

    days: list[date] = panel.bars["session"].unique().sort().to_list()
    at = [days.index(d) for d in base_cuts(days, np.random.default_rng(3))]

    assert len(at) == 9
    assert max(at) < len(days) - 1
    assert any(at[i : i + 5] == list(range(at[i], at[i] + 5)) for i in range(5))
