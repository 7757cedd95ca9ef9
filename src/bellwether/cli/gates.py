"""`bellwether gates`: may this be used, why not, and how often the gates themselves are wrong."""

from pathlib import Path
from typing import Annotated, Any

import typer

from bellwether.cli.frame import FAILED, REFUSED, edge, ports, progress_bar, say, settings, tell

gates = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")]
Rules = Annotated[
    Path | None, typer.Option("--policy", help="Policy as TOML (docs/gates.md); its defaults else.")
]
Skill = Annotated[
    str | None, typer.Option(help="require: shown skill is needed. report: it is only told.")
]
Seed = Annotated[int, typer.Option(min=0, help="Of every world that is drawn.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes.")]
Keep = Annotated[bool, typer.Option("--keep", help="Have the release stand so from now on.")]
Quick = Annotated[bool, typer.Option("--quick", help="Look far less often, in seconds.")]


@gates.command()
def check(
    subject: Annotated[str, typer.Argument(help="A release or a backtest; six letters will do.")],
    policy: Rules = None,
    skill: Skill = None,
    keep: Keep = False,
    as_json: Json = False,
) -> None:
    """Ask every gate about a release or a backtest; each that fails says what would pass.

    Exit code 0 if allowed, 3 if refused. With --keep a release stands so from now on: refused, it
    no longer answers.

    Example: bellwether gates check 0192f3 --skill report
    """
    with edge(as_json=as_json), ports() as wired:
        from bellwether.pipelines import gates as use

        rules = use.read_policy(policy_file(policy), skill_mode(skill))
        report = use.check(subject, rules, wired.ports)
        if keep:
            use.keep(report, rules, settings().acting, wired.ports)
        if as_json:
            tell(report.as_json())
        else:
            for line in report.lines():
                say(line)
        if not report.decision.allowed:
            raise typer.Exit(REFUSED)


@gates.command()
def calibrate(
    policy: Rules = None,
    seed: Seed = 0,
    workers: Workers = None,
    quick: Quick = False,
    as_json: Json = False,
) -> None:
    """Measure how often the gates pass what has no skill, and find what has.

    On noise, on the sample with shuffled labels, on the best of 200 without skill, and on planted
    skill. Exit code 1 if a stated level is exceeded beyond chance.

    Example: bellwether gates calibrate --workers 2
    """
    with edge(as_json=as_json), ports() as wired, progress_bar(silent=as_json) as progress:
        from bellwether.pipelines import gates_calibrate as use
        from bellwether.pipelines.gates import read_policy

        config = use.CalibrateConfig(
            read_policy(policy_file(policy)), seed, workers or settings().workers, quick
        )
        report = use.run(config, wired.ports, progress)
        if as_json:
            tell(report.as_json())
        else:
            for line in report.lines():
                say(line)
        if not report.holds:
            raise typer.Exit(FAILED)


def policy_file(given: Path | None) -> Path | None:
    """Return the file of the policy in force: the one given, else that of the settings."""
    told = settings().policy
    return given or (Path(told) if told else None)


def skill_mode(text: str | None) -> Any:
    """Return a skill mode as it was said; raises UnknownName for one that is none."""
    from bellwether.core.errors import UnknownName

    if text not in {None, "require", "report"}:
        raise UnknownName("skill mode", str(text), ("require", "report"))
    return text
