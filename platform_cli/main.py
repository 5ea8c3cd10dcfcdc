"""The `takt` command: a table of commands, each imported only when it is called."""

import sys
from importlib import import_module
from typing import NamedTuple

import typer
from typer._click import Command, Context, HelpFormatter  # typer carries its own click since 0.25
from typer.core import TyperGroup

from dbt_like_sql.errors import TaktError


class _Entry(NamedTuple):
    module: str
    summary: str


COMMANDS: dict[str, _Entry] = {
    "demo": _Entry("demo", "A month of a factory, from raw records to OEE and one number traced."),
    "up": _Entry("up", "Start PostgreSQL, the Dagster UI and daemon and the API, until Ctrl-C."),
    "down": _Entry("down", "Stop the embedded PostgreSQL and whatever `takt up` left running."),
    "init": _Entry("init", "Make roles, databases, tables and the first tenant."),
    "generate": _Entry("generate", "Write the files of a made-up factory, and the truth about them."),
    "mock-erp": _Entry("mock_erp", "Serve a made-up factory as a REST ERP."),
    "ingest": _Entry("ingest", "Land records from files, folders, standard input or a configured source."),
    "backfill": _Entry("backfill", "Make all tables anew for a range of production dates."),
    "refresh": _Entry("refresh", "Make today, one date, or every dirty date anew."),
    "status": _Entry("status", "Per model: last good date, dirty and failed dates, rows, rejects, freshness."),
    "rejects": _Entry("rejects", "List, show and retry the rows that could not be used."),
    "user": _Entry("user", "Make users, and say what they may do and see."),
    "apikey": _Entry("apikey", "Make, list and revoke the API keys of machines."),
    "auth": _Entry("auth", "Explain why somebody may do something; register programs and providers of sign-in."),
    "query": _Entry("query", "Ask for metrics by name: OEE by line and week, against the week before."),
    "trace": _Entry("trace", "Follow a number back to the raw records it came from."),
    "suggest": _Entry("suggest", "Propose master data that is missing, with the evidence."),
    "archive": _Entry("archive", "Move old months to files, list them, bring one back."),
    "psql": _Entry("psql", "Open psql on the warehouse."),
    "dsn": _Entry("dsn", "Print the connection string of a role."),
    "doctor": _Entry("doctor", "Explain what is wrong with an installation and what to do."),
    "version": _Entry("version", "Print the versions of Takt and of what it runs on."),
}


_COMPLETION_OPTIONS = {"install_completion", "show_completion"}  # typer adds them to each command's own app


class _LazyGroup(TyperGroup):
    """Lists every command from the table and imports a command's module only to run it or show its help."""

    def list_commands(self, ctx: Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = import_module(f"platform_cli.commands.{entry.module}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        command.params = [each for each in command.params if each.name not in _COMPLETION_OPTIONS]
        return command

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


app = typer.Typer(
    pretty_exceptions_enable=False, cls=_LazyGroup, rich_markup_mode=None, no_args_is_help=True, add_completion=False
)


@app.callback()
def takt() -> None:
    """Takt: ERP and MES records become trusted daily facts and KPIs."""


def main() -> None:
    """Run the command; an error of ours ends with its code, one sentence, a hint and its own exit code."""
    try:
        app()
    except TaktError as error:
        typer.echo(f"{error.code}: {error.message}", err=True)
        if error.hint:
            typer.echo(f"  {error.hint}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
