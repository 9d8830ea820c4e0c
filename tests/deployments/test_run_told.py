"""What `brain run FLOW` tells a person: sentences and figures, never a raw object."""

from __future__ import annotations

import json

from deployments.cli.run_told import told
from shell.store.canonical import canonical
from tasks.client import Promotion
from tasks.night import Decision, DecisionKind
from tests.tasks.memory_shell import NOW
from tests.tasks.records import night_record, outcome, settlement

PROMOTED = Promotion(candidate_id="c0001", version="v002", previous="v001", hash="h", at=NOW)
NIGHT = night_record(
    decision=Decision(kind=DecisionKind.EVOLVE, reasons=("a search may be made",), remarks=("a remark",)),
    settlements=(settlement(promotion=PROMOTED),), active_version="v002", costs="models cost $0.08 this night",
)


def test_a_night_run_by_hand_is_told_in_sentences_the_same_here_and_from_a_deployed_run() -> None:
    lines = told(NIGHT)
    assert lines[0] == "night of 2024-03-11: evolve; v002 is active"
    assert lines[1:3] == ["  a search may be made", "  a remark"]
    assert "c0001: its paper trial passed, active as v002" in lines and told(outcome())[0] in lines
    assert lines[-2:] == ["models cost $0.08 this night", "the whole night: reports/night-2024-03-11.md in the home's folder"]
    assert told(json.loads(canonical(NIGHT))) == lines
    assert not any("Decision(" in line or "{" in line for line in lines)


def test_what_other_flows_answer_is_names_and_values() -> None:
    assert told(outcome()) == ["c0003: refused at gate: minimum_trades: 4 of 10"]
    assert told({"h1": 24, "d1": 1}) == ["d1: 1", "h1: 24"]
    assert (told(3), told(None), told({})) == (["3"], ["done"], ["nothing to tell"])
