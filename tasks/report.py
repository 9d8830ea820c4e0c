"""The night's report in markdown, for the artifact and the reports folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from prefect import task

from shell.truth.definitions import DEFINITIONS
from tasks.client import ShellClient
from tasks.context import client
from tasks.night import CandidateOutcome, NightRecord, decision_values
from tasks.night_models import call_rows, drafts_of
from tasks.policy import WRITE
from tasks.wording import cell, check_rows, next_step, one_line, outcome_line, settlement_line

CALL_TITLES = ("question", "model", "tokens read", "tokens written", "USD", "came to")
PERFORMANCE_SHOWN = ("total_return_pct", "max_drawdown_pct", "sharpe", "trades", "fees")


@dataclass(frozen=True, slots=True, kw_only=True)
class NightReport:
    """Where the report was saved, and its text."""

    place: str
    markdown: str


def render_night(
    record: NightRecord, drafts: Sequence[CandidateOutcome] = (), calls: Sequence[Sequence[str]] = ()
) -> str:
    """The whole night on one page. A candidate that was refused is shown with every check and how far it was; `drafts` are
    those that gave way to a revision, `calls` the rows of what models were asked."""
    lines = [
        f"# Night of {record.night}", "",
        f"Active strategy: **{cell(record.active_version)}**. Decision: **{record.decision.kind.value}**.", "",
        *[f"- {cell(reason)}" for reason in record.decision.reasons],
        *[f"- {cell(remark)}" for remark in record.decision.remarks], "",
    ]
    if record.settlements:
        lines += ["## Paper trials", "", *[f"- {cell(settlement_line(each))}" for each in record.settlements], ""]
    if drafts:
        lines += ["## Refused on the way", "", *[f"- {cell(outcome_line(each))}" for each in drafts], ""]
    if record.outcomes:
        lines += ["## Candidates", ""]
    for outcome in record.outcomes:
        lines += [f"- {cell(outcome_line(outcome))}", ""]
        if outcome.checks:
            lines += ["| check | passed | value | threshold | what |", "|---|---|---:|---:|---|"]
            lines += [
                "| " + " | ".join(cell(value) for value in row.values()) + " |" for row in check_rows(outcome.checks)
            ]
            lines.append("")
    if calls:
        lines += ["## What models were asked", "", f"| {' | '.join(CALL_TITLES)} |", "|---|---|---:|---:|---:|---|"]
        lines += ["| " + " | ".join(map(cell, row)) + " |" for row in calls]
        lines.append("")
    lines += ["## So far", "", "| figure | value |", "|---|---:|"]
    lines += [
        f"| {DEFINITIONS[name].label} | {_figure(name, record.performance[name])} |"
        for name in PERFORMANCE_SHOWN if record.performance.get(name) is not None
    ]
    if record.parity:
        lines += ["", f"Parity: {cell(record.parity['reason'])}."]
    if record.aggregated:
        moved = ", ".join(f"{cell(name)} {count}" for name, count in sorted(record.aggregated.items()))
        lines += ["", f"Candles: {moved}."]
    if record.costs:
        lines += ["", f"Money: {cell(record.costs)}."]
    lines += ["", f"Next: {cell(next_step(record))}.", ""]
    return "\n".join(lines)


def write_report(shell: ShellClient, record: NightRecord) -> NightReport:
    """Record the night's decision and save its report."""
    shell.record_night(record.night, decision_values(record), record.at)
    calls = call_rows(shell.model_calls(record.night)) if record.costs else []
    text = render_night(record, drafts_of(shell, record), calls)
    return NightReport(place=shell.save_report(f"night-{record.night}.md", text), markdown=text)


def headline(record: NightRecord) -> str:
    """The night in one message."""
    promoted = [each.promotion for each in record.settlements if each.promotion is not None]
    active = promoted[-1].version if promoted else record.active_version
    first = f"{active} is active now" if promoted else f"{active} stays active"
    tried = "; ".join(outcome_line(outcome) for outcome in record.outcomes) or "; ".join(record.decision.reasons)
    money = f" Money: {record.costs}." if record.costs else ""
    return f"Night of {record.night}: {first}. {one_line(tried)}{money}"


@task(name="write report", description="The night on one page, stored.", **WRITE)
async def write_night_report(record: NightRecord) -> NightReport:
    return write_report(client(), record)


def _figure(name: str, told: float | Decimal) -> str:
    value = float(told)
    if name.endswith("_pct"):
        return f"{value * 100:.2f} %"
    return f"{value:,.0f}" if name == "trades" else f"{value:,.2f}"
