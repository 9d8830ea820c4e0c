"""What a flow returned, as people read it: `brain run`'s view of every flow's answer.

An answer comes as values (in this process) or as JSON (from a run of a deployment); both become JSON here and look the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python
from rich.console import Group, RenderableType
from rich.markdown import Markdown
from rich.text import Text

from deployments.cli.output import percent, table
from tasks.night import CandidateOutcome, NightRecord
from tasks.report import render_night
from tasks.wording import check_rows, one_line, outcome_line

SHOWN_MAX = 200
MOVED = {
    "h1_built": "hours built", "d1_built": "days built", "m5_archived": "5m bars to the archive",
    "h1_archived": "1h bars to the archive", "d1_archived": "1d bars to the archive",
}


def view_of(flow: str, result: Any) -> RenderableType:
    """The answer of `flow` for people. One of an unknown shape, from another version of the flow, is shown name by name."""
    told = to_jsonable_python(result, serialize_unknown=True)
    shape = VIEWS.get(flow)
    if shape is not None:
        try:
            return shape(told)
        except (KeyError, TypeError, ValueError):
            # pydantic's ValidationError is a ValueError, too.
            return _named(told)
    return _named(told)


def _scan(told: Any) -> RenderableType:
    if told is None:
        return Text("No slot was near: the schedule follows the strategy's interval from now on, and the next run has one.")
    origin = "scanned before" if told["already_done"] else f"origin {told['origin']}"
    counts = f"{_count(told['signals'], 'signal')}, {told['approved']} approved" if told["signals"] else "no signals"
    parts: list[RenderableType] = [Text(f"Slot {_moment(told['slot'])} UTC: {counts} ({origin}).")]
    rows = [
        [each["symbol"], each["action"], "approved" if each["approved"] else each["code"], one_line(each["sentence"])]
        for each in told["answers"]
    ]
    if rows:
        parts.append(table("Signals", ["symbol", "action", "answer", "why"], rows))
    return Group(*parts)


def _fees(told: Mapping[str, Any]) -> RenderableType:
    rows = [[pair, f"{100 * fee['maker_pct']:.3f} %", f"{100 * fee['taker_pct']:.3f} %"] for pair, fee in sorted(told.items())]
    return table("Fees in force", ["pair", "maker", "taker"], rows, right=(1, 2))


def _snapshot(told: Mapping[str, Any]) -> RenderableType:
    rows = [[_words(name), f"{float(told[name]):,.2f}"] for name in ("equity", "cash", "day_pnl", "fees")]
    head = Text(f"Snapshot of {told['day']}", style="bold")
    parts: list[RenderableType] = [head, table("", ["figure", "value"], rows, right=(1,))]
    lines = [
        [each["symbol"], f"{each['qty']:.8g}", f"{each['current_price']:,.6g}", f"{each['unrealized_pnl']:,.2f}",
         f"{each['stop_loss']:,.6g}" if each["stop_loss"] else "none"]
        for each in told["positions"]
    ]
    names = ["symbol", "quantity", "price", "unrealised", "stop"]
    parts.append(table("Positions", names, lines, right=(1, 2, 3, 4)) if lines else Text("No positions."))
    return Group(*parts)


def _night(told: Any) -> RenderableType:
    record = TypeAdapter(NightRecord).validate_python(told)
    return Markdown(render_night(record))


def _candidate(told: Any) -> RenderableType:
    outcome = TypeAdapter(CandidateOutcome).validate_python(told)
    parts: list[RenderableType] = [Text(outcome_line(outcome))]
    if outcome.checks:
        rows = [[str(value) for value in row.values()] for row in check_rows(outcome.checks)]
        parts.append(table("The gate", ["check", "passed", "value", "threshold", "what"], rows, right=(2, 3)))
    if outcome.candidate_id is not None:
        parts.append(Text(f"`brain strategy show {outcome.candidate_id}` has its code and every stage.", style="dim"))
    return Group(*parts)


def _aggregate(told: Mapping[str, Any]) -> RenderableType:
    if not any(told.values()):
        return Text("Nothing had to be done: every candle is where it belongs.")
    rows = [[MOVED.get(name, name), f"{count:,}"] for name, count in told.items()]
    return table("Candles", ["", "bars"], rows, right=(1,))


def _parity(told: Mapping[str, Any]) -> RenderableType:
    figure = f"Parity {percent(told['figure']).lstrip('+')}: " if told["figure"] is not None else ""
    parts: list[RenderableType] = [Text(f"{figure}{told['reason']}.")]
    rows = [
        [_moment(each["slot"]), "; ".join(each["only_main"]), "; ".join(each["only_replay"]), str(each["reason"])]
        for each in told["differences"]
    ]
    if rows:
        parts.append(table("Differences", ["scan (UTC)", "only main", "only second run", "why"], rows))
    return Group(*parts)


def _reconcile(told: Any) -> RenderableType:
    shown = int(told)
    if not shown:
        return Text("Every scan is on the runs page already.")
    verb = "has" if shown == 1 else "have"
    return Text(f"{_count(shown, 'scan')} that no run had reported {verb} a run now.")


VIEWS: Mapping[str, Callable[[Any], RenderableType]] = {
    "scan": _scan, "fees": _fees, "snapshot": _snapshot, "orchestrate": _night, "evolve": _candidate, "aggregate": _aggregate,
    "parity": _parity, "reconcile": _reconcile,
}


def _named(told: Any) -> RenderableType:
    """Name by name, whatever it is."""
    if not isinstance(told, Mapping):
        return Text("It left no answer." if told is None else one_line(str(told), SHOWN_MAX))
    return Text("\n".join(f"{_words(str(name))}: {one_line(str(value), SHOWN_MAX)}" for name, value in told.items()))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _moment(text: str) -> str:
    return text[:16].replace("T", " ")
