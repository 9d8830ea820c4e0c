"""What the page's tables hold, as texts: numbers are written as in the report, and nothing is markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from shell.companion import LinkHealth
from shell.money import Price
from shell.orders import Fill, SignalAnswer
from shell.portfolio.ledger import Ledger, Position
from shell.report import figures, wording
from shell.report.data import CandidateRow, CheckRow
from shell.report.text import shown
from shell.store.halts import StoredHalt
from shell.store.nights import StoredNight
from shell.store.order_rows import StoredOrder

Row = list[Any]
Table = dict[str, Any]


def table(columns: Sequence[str], rows: Sequence[Row], empty: str, right: Sequence[int] = ()) -> Table:
    """A table for the page's script. A cell is a text, or {text, tone} where the tone only adds to what is written."""
    cells = [[_cell(each) for each in row] for row in rows]
    return {"columns": list(columns), "rows": cells, "empty": empty, "right": list(right)}


def _cell(value: Any) -> Any:
    return {**value, "text": shown(value["text"])} if isinstance(value, dict) else shown(str(value))


def toned(text: str, value: float | Decimal) -> dict[str, str]:
    """A signed figure; its sign is written, the colour only repeats it."""
    return {"text": text, "tone": "gain" if value > 0 else "loss" if value < 0 else ""}


def positions(ledger: Ledger, prices: Mapping[str, Price]) -> Table:
    rows = [_position(each, prices[each.symbol]) for each in ledger.positions.values()]
    columns = ("symbol", "quantity", "entry", "price", "unrealised", "stop", "distance", "target", "since (UTC)")
    return table(columns, rows, "Nothing is held.", right=(1, 2, 3, 4, 5, 6, 7))


def _position(position: Position, price: Price) -> Row:
    now, entry = price.value, position.avg_entry.value
    gain = (now - entry) * position.qty.value
    stop, target = position.stop_loss, position.take_profit
    return [
        position.symbol, figures.quantity(position.qty.value), figures.price(entry), figures.price(now),
        toned(f"{figures.money(gain, sign=True)} ({figures.percent(now / entry - 1, sign=True)})", gain),
        figures.price(stop.value) if stop else {"text": "▲ none", "tone": "loss"},
        figures.percent(stop.value / now - 1, sign=True) if stop else figures.ABSENT,
        figures.price(target.value) if target else figures.ABSENT, figures.moment(position.opened_at),
    ]


def signals(answers: Sequence[SignalAnswer], orders: Mapping[str, StoredOrder]) -> Table:
    """Newest first, each with what became of it."""
    rows = [
        [
            figures.moment(each.decided_at), each.symbol, each.action.value.lower(), figures.percent(each.size_pct),
            _fate(each, orders.get(each.intent_id or "")), each.reasoning,
        ]
        for each in reversed(answers)
    ]
    return table(("at (UTC)", "symbol", "action", "size", "fate", "why"), rows, "No signal today.", right=(3,))


def _fate(answer: SignalAnswer, order: StoredOrder | None) -> dict[str, str]:
    if not answer.approved:
        return {"text": f"✕ refused, {answer.code}: {answer.sentence}", "tone": "loss"}
    if order is None:
        return {"text": "✓ approved", "tone": ""}
    state = order.state.value.lower().replace("_", " ")
    reason = f": {order.reason}" if order.reason else ""
    return {"text": f"✓ approved, order {state}{reason}", "tone": ""}


def fills(rows: Sequence[Fill]) -> Table:
    """The newest executions."""
    found = [
        [
            figures.moment(each.filled_at), each.symbol, each.side.value, each.intent.purpose.value.lower(),
            figures.quantity(each.qty.value), figures.price(each.price.value), figures.money(each.fee.value),
            each.liquidity.value.lower(),
        ]
        for each in reversed(rows)
    ]
    columns = ("at (UTC)", "symbol", "side", "purpose", "quantity", "price", "fee", "liquidity")
    return table(columns, found, "Nothing has been filled yet.", right=(4, 5, 6))


def halts(history: Sequence[StoredHalt]) -> Table:
    rows = [
        [
            figures.moment(each.halt.raised_at), each.halt.kind.value,
            {"text": "▲ standing", "tone": "loss"} if each.lifted_at is None
            else f"lifted {figures.moment(each.lifted_at)} by {each.lifted_by}",
            each.halt.sentence,
        ]
        for each in reversed(history)
    ]
    return table(("raised (UTC)", "halt", "state", "why"), rows, "Opening orders were never halted.")


def nights(rows: Sequence[StoredNight]) -> Table:
    found = []
    for each in reversed(rows):
        reasons = each.decision.get("reasons", ())
        why = reasons if isinstance(reasons, str) else "; ".join(str(reason) for reason in reasons)
        found.append([each.night, str(each.decision.get("decision", "")), why])
    return table(("night", "decision", "why"), found, "No night has been worked yet.")


def candidates(rows: Sequence[CandidateRow]) -> list[dict[str, Any]]:
    """Newest first; each with its gate, check by check."""
    return [
        {
            "id": each.candidate_id,
            "title": shown(f"{each.candidate_id} · {each.verdict} at {each.stage} · {each.change_class or 'unclassified'} · "
                           f"by {each.provider}, night of {each.night}"),
            "tone": "gain" if each.verdict == wording.PROMOTED else "",
            "hypothesis": shown(each.hypothesis), "reasons": [shown(reason) for reason in each.reasons],
            "figures": [f"{figures.label(name)}: {figures.figure(name, value)}" for name, value in each.figures.items()],
            "paper": _paper(each),
            "gate": table(("check", "result", "value", "asked", "distance"), [_check(check) for check in each.checks],
                          "It did not come to the gate.", right=(2, 3)),
        }
        for each in reversed(rows)
    ]


def _check(check: CheckRow) -> Row:
    sign = {"passed": "✓", "failed": "✕"}.get(check.result, "○")
    tone = {"passed": "gain", "failed": "loss"}.get(check.result, "")
    return [
        figures.label(check.name), {"text": f"{sign} {check.result}", "tone": tone}, figures.figure(check.name, check.value),
        figures.figure(check.name, check.threshold), wording.distance(check) or check.sentence,
    ]


def _paper(row: CandidateRow) -> str:
    paper = row.paper
    if paper is None:
        return ""
    due = f", due {figures.moment(paper.due)} UTC" if paper.due else ""
    compared = ""
    if paper.scans is not None:
        compared = f"; {paper.scans} scans, {paper.signals_equal} of {paper.signals_backtest} signals as in the backtest"
    return shown(f"paper trial {paper.trial_id}: {paper.state}{due}{compared}")


def links(rows: Sequence[LinkHealth]) -> Table:
    found = [
        [each.name, {"text": "● in order" if each.ok else "▲ look here", "tone": "gain" if each.ok else "loss"}, each.sentence]
        for each in rows
    ]
    return table(("link", "state", "what it says"), found, "No link is known here.")
