"""What `takt demo` prints: each plant's yesterday, the rejected rows, and one number followed back."""

from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from platform_cli.demo import DemoResult, TenantReport
from platform_core.daily_report.contracts import DailyReport
from platform_core.trace.render import lines

_WIDTH = 118
NEXT_STEPS = """\
Next:  takt status                        what is published, dirty, failed, rejected
       takt rejects list --tenant alpha   the rows that could not be used, and how to mend them
       takt psql                          look at the tables
       takt up                            the Dagster UI, schedules and the API
       takt down                          stop PostgreSQL"""


def print_reports(result: DemoResult) -> None:
    """Everything, on standard output, at one width whatever the terminal."""
    console = Console(width=_WIDTH, highlight=False)
    for tenant in result.reports:
        _print_lines(console, tenant)
    for tenant in result.reports:
        _print_rejects(console, tenant)
    if result.traced is not None:
        console.print("\n[bold]Where the OEE of the first line's worst shift comes from[/bold]")
        for text in lines(result.traced):
            console.print(text, markup=False, soft_wrap=True)
    for failure in result.failures:
        console.print(f"[red]not published:[/red] {failure.model} {failure.date} {failure.tenant}: {failure.reason}")
    console.print("\n" + NEXT_STEPS)


def _print_lines(console: Console, tenant: TenantReport) -> None:
    report: DailyReport = tenant.report
    console.print(f"\n[bold]OEE of {tenant.tenant.display_name} ({tenant.tenant.slug}) on {report.date}[/bold]")
    table = Table("line", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("OEE", "availability", "performance", "quality"):
        table.add_column(name, justify="right")
    table.add_column("main loss")
    table.add_column("lost", justify="right")
    table.add_column("behind it")
    for line in report.lines:
        table.add_row(
            f"{line.line_code} {line.line_name or '(not in dim_line)'}",
            *(_percent(ratio) for ratio in (line.oee, line.availability, line.performance, line.quality)),
            line.main_loss or "-",
            f"{line.loss_minutes:,.0f} min" if line.loss_minutes is not None else "-",
            line.cause or "-",
        )
    console.print(table)


def _print_rejects(console: Console, tenant: TenantReport) -> None:
    if not tenant.report.rejects:
        return
    console.print(f"[bold]Rows of {tenant.tenant.slug} that could not be used[/bold] (kept, to be mended and retried)")
    table = Table("reason", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("rows", justify="right")
    table.add_column("for example")
    for reject in tenant.report.rejects:
        source = f"{reject.example_source.rsplit('/', 1)[-1]}:{reject.example_row}"
        table.add_row(reject.reason_code, f"{reject.rows:,}", f"{reject.example_message} ({source})")
    console.print(table)


def _percent(ratio: Decimal | None) -> str:
    return "unknown" if ratio is None else f"{ratio:.1%}"
