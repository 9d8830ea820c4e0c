"""From facts of the event log to messages. Pure, so that what was not told before a crash is told after it, the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from shell.notices.kinds import Severity
from shell.notices.notice import Notice
from shell.report import figures
from shell.risk.halts import HaltKind
from shell.store.events import Event

TOLD_KINDS = ("fill", "trade", "halt", "stage")
_LEFT_BY = {"stop": "by its stop", "target": "by its target", "exit": "as decided"}


def notices_of(events: Sequence[Event], quote: str) -> list[Notice]:
    """What to tell of these events of the main book, in their order. `quote` is the account currency.

    Fills of one order that are told together are one message; a sale that ended a position is told with its result.
    """
    closing = {event.payload["symbol"] for event in events if event.kind == "trade"}
    fills: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    found: list[tuple[int, Notice]] = []
    for event in events:
        payload = event.payload
        if event.kind == "fill" and not (payload["side"] == "sell" and payload["symbol"] in closing):
            fills.setdefault((payload["intent_id"], payload["side"]), []).append({**payload, "seq": event.seq})
        elif event.kind == "trade":
            found.append((event.seq, _trade(payload, quote)))
        elif event.kind == "halt":
            found.append((event.seq, _halt(payload)))
        elif event.kind == "stage" and payload["stage"] == "promote" and not payload["passed"]:
            reasons = "; ".join(str(reason) for reason in payload["reasons"])
            text = f"{payload['candidate']} was not promoted: {reasons}"
            found.append((event.seq, Notice(kind="promotion", text=text, action="/candidates shows it; nothing else to do")))
    found += [(parts[0]["seq"], _fill(parts, quote)) for parts in fills.values()]
    return [notice for _, notice in sorted(found, key=lambda pair: pair[0])]


def _fill(parts: Sequence[Mapping[str, Any]], quote: str) -> Notice:
    qty = sum((Decimal(part["qty"]) for part in parts), Decimal(0))
    cost = sum((Decimal(part["qty"]) * Decimal(part["price"]) for part in parts), Decimal(0))
    fee = sum((Decimal(part["fee"]) for part in parts), Decimal(0))
    verb = "Bought" if parts[0]["side"] == "buy" else "Sold"
    base = str(parts[0]["symbol"]).split("/")[0]
    average = figures.price(cost / qty) if qty else figures.ABSENT
    return Notice(
        kind="fill",
        text=f"{verb} {figures.quantity(qty)} {base} at {average}: {figures.money(cost)} {quote}, fee {figures.money(fee)}",
    )


def _trade(payload: Mapping[str, Any], quote: str) -> Notice:
    cost, proceeds = Decimal(payload["cost"]), Decimal(payload["proceeds"])
    result = proceeds - cost - Decimal(payload["fees"])
    part = f" ({figures.percent(result / cost, sign=True)})" if cost else ""
    purpose = str(payload["exit_purpose"])
    stopped = purpose == "stop"
    how = _LEFT_BY.get(purpose, "")
    return Notice(
        kind="stop" if stopped else "fill",
        text=f"Closed {payload['symbol']} {how}".rstrip()
        + f": {figures.money(result, sign=True)} {quote}{part} after fees",
        action="" if stopped else "/trades shows it",
    )


def _halt(payload: Mapping[str, Any]) -> Notice:
    if payload["kind"] == HaltKind.OPERATOR_PAUSE.value:
        return Notice(kind="halt", text=f"Openings are paused: {payload['sentence']}", action="/resume allows them again")
    return Notice(
        kind="halt", severity=Severity.CRITICAL, text=f"Openings are halted: {payload['kind']}: {payload['sentence']}",
        action=f"/risk shows what was measured; /resume {payload['kind']} lifts it once you agree",
    )
