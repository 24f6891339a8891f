"""`trialkit`: the commands, and what becomes of an error.

Nothing heavy is imported before a command has been parsed: each command's work is in a module
of its own, imported when it runs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from trialkit import __version__
from trialkit.errors import TrialkitError

__all__ = ["app", "main"]

# 1 is an answer ("something is wrong with it"), 2 a question that could not be answered.
EXIT_FINDINGS = 1
EXIT_ERROR = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it

app = typer.Typer(
    name="trialkit",
    help="Analysis of placebo-controlled clinical trials, parallel and crossover.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: no import of rich
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"trialkit {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Analysis of placebo-controlled clinical trials, parallel and crossover."""


@app.command(short_help="Every published figure beside ours.")
def reproduce(
    studies: Annotated[
        list[str] | None, typer.Argument(metavar="[STUDY]...", help="Bundled studies; all if none.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for an HTML page with the tables and figures.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Every published figure beside ours; exit 1 where one that should agree does not."""
    from trialkit.cli.reproduce import reproduce_studies

    _exit(reproduce_studies(studies or [], out=out, as_json=json))


@app.command(short_help="Run a plan and write its results.")
def run(
    plan: Annotated[Path, typer.Argument(metavar="PLAN.toml", help="The plan.")],
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("out"),
    workers: Annotated[
        int, typer.Option(min=1, help="Processes; the results do not depend on it.")
    ] = 1,
) -> None:
    """Run a plan: results.json, report.html, figures and manifest.json."""
    from trialkit.cli.run import run_file

    _exit(run_file(plan, out=out, workers=workers))


@app.command(short_help="What is wrong with a plan or a data file.")
def check(
    file: Annotated[Path, typer.Argument(metavar="PLAN.toml|DATA", help="A plan or a data file.")],
    subject: Annotated[str | None, typer.Option(help="Column of the subject.")] = None,
    arm: Annotated[str | None, typer.Option(help="Column of the arm.")] = None,
    reference: Annotated[str | None, typer.Option(help="The arm compared with.")] = None,
    outcome: Annotated[str | None, typer.Option(help="Column of the outcome.")] = None,
    visit: Annotated[str | None, typer.Option(help="Column of the visit.")] = None,
    visit_order: Annotated[
        str | None, typer.Option(help="Numeric column that orders the visits.")
    ] = None,
    baseline: Annotated[str | None, typer.Option(help="Column of the baseline.")] = None,
) -> None:
    """What is wrong with a plan or a data file, and where; exit 1 if anything is.

    Warnings (unusual, right only if meant) are printed and leave the exit code at 0. Roles of a
    data file that are not given are looked for by their CDISC names (USUBJID, TRT01P, ...).
    """
    from trialkit.cli.check import Roles, check_file

    roles = Roles(
        subject=subject,
        arm=arm,
        reference=reference,
        outcome=outcome,
        visit=visit,
        visit_order=visit_order,
        baseline=baseline,
    )
    _exit(check_file(file, roles))


@app.command(short_help="Figures that cannot be true together.")
def audit(
    figures: Annotated[
        Path, typer.Argument(metavar="FIGURES.csv", help="Columns as in a study's published.csv.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Published figures that cannot be true together; exit 1 if there are any."""
    from trialkit.cli.audit import audit_file

    _exit(audit_file(figures, as_json=json))


@app.command(short_help="What is bundled.")
def studies(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One study.")] = None,
) -> None:
    """What is bundled: all studies, or one in detail."""
    from trialkit.cli.studies import show_studies

    _exit(show_studies(name))


def _exit(is_sound: bool) -> None:
    if not is_sound:
        raise typer.Exit(EXIT_FINDINGS)


def main() -> None:
    """Run the command line; errors of trialkit become one message and exit code 2."""
    try:
        app()
    except TrialkitError as problem:
        _quit(f"trialkit: {problem}", EXIT_ERROR)
    except KeyboardInterrupt:
        _quit("trialkit: interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader has gone (`| head`): nothing more to say, and nothing to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_ERROR)


def _quit(message: str, code: int) -> None:
    typer.echo(message, err=True)
    sys.exit(code)
