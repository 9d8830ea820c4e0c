"""What a flow returned reads the same to a person whether it came as values or as JSON, and is never a raw object."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from pydantic_core import to_json
from rich.console import Console

from deployments.cli.run_view import VIEWS, view_of
from flows.registry import FLOWS
from shell.answers import ScanOutcome
from tests.tasks.memory_shell import NOW
from tests.tasks.records import night_record, outcome

SIGNAL = {"symbol": "BTC/USD", "action": "BUY", "approved": False, "code": "MAX_POSITIONS", "sentence": "2 of 2 are held"}
POSITION = {
    "symbol": "ETH/USD", "qty": 0.5, "avg_entry": 3000.0, "current_price": 3100.0, "unrealized_pnl": 50.0, "stop_loss": None,
}
PARITY = {
    "compared": True, "reason": "1 of 2 scans equal a second run's", "figure": 0.5,
    "differences": [{"slot": "2026-03-02T14:35:00+00:00", "only_main": ["fill"], "only_replay": [], "reason": "late data"}],
}
ANSWERS: dict[str, tuple[Any, list[str]]] = {
    "scan": (
        ScanOutcome(slot=NOW, origin="requested", signals=1, approved=0, answers=(SIGNAL,)),
        ["2024-03-11", "1 signal, 0 approved (origin requested)", "MAX_POSITIONS", "2 of 2 are held"],
    ),
    "fees": ({"BTC/USD": {"maker_pct": 0.0025, "taker_pct": 0.004}}, ["BTC/USD", "0.250 %", "0.400 %"]),
    "snapshot": (
        {"day": "2026-03-02", "equity": "10050.5", "cash": "8500", "day_pnl": "-3", "fees": "1.25", "positions": [POSITION]},
        ["Snapshot of 2026-03-02", "10,050.50", "-3.00", "ETH/USD", "none"],
    ),
    "orchestrate": (night_record(), ["Night of 2024-03-11", "minimum_trades", "4 of 10", "1.23 %"]),
    "evolve": (outcome(), ["minimum_trades", "4 of 10", "`brain strategy show c0003`"]),
    "aggregate": ({"h1_built": 1200, "m5_archived": 0}, ["hours built", "1,200", "5m bars to the archive"]),
    "parity": (PARITY, ["Parity 50.00 %", "2026-03-02 14:35", "late data"]),
    "reconcile": (3, ["3 scans that no run had reported have a run now."]),
    "distill": ({"quarter": "2026-Q1", "words_before": 900}, ["words before", "900", "2026-Q1"]),
}


def read(flow: str, result: Any) -> str:
    console = Console(width=220, record=True, force_terminal=False, file=StringIO())
    console.print(view_of(flow, result))
    return console.export_text()


@pytest.mark.parametrize("flow", FLOWS)
def test_every_flows_answer_reads_alike_as_values_and_as_json(flow: str) -> None:
    result, expected = ANSWERS[flow]
    text = read(flow, result)
    assert [each for each in expected if each not in text] == []
    assert text == read(flow, json.loads(to_json(result)))
    assert not any(mark in text for mark in ("{'", "datetime.", "=(", "Enum"))


@pytest.mark.parametrize("flow", VIEWS)
def test_an_answer_of_another_shape_is_shown_name_by_name(flow: str) -> None:
    assert "left over" in read(flow, {"left_over": [1]})


def test_where_there_is_no_answer_it_says_so() -> None:
    assert "no slot was near" in read("scan", None).lower()
    assert "left no answer" in read("distill", None)
    assert "on the runs page already" in read("reconcile", 0)
    assert "no signals" in read("scan", ScanOutcome(slot=NOW, origin="fallback", signals=0, approved=0, answers=()))
    assert "Nothing had to be done" in read("aggregate", {"h1_built": 0})
