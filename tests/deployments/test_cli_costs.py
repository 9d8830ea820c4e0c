"""`brain report costs`: what models cost, as a person and a program read it; `brain report` itself is what it was."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from typer.testing import CliRunner

from deployments.cli.main import app
from shell.model_calls import CallState, Usage
from shell.store.store import Store
from tests.shell.store.test_model_calls import AI, ASKED, AT

brain = CliRunner()


def test_costs_are_told_by_night_role_and_model(tmp_path: Path) -> None:
    with Store.open(tmp_path / "brain.db") as store:
        calls = store.model_calls
        for slot, state, usage in (
            ("decide", CallState.ANSWERED, Usage(input_tokens=1_000, output_tokens=500, cache_read_tokens=100)),
            ("decide.repair", CallState.LOST, None), ("review:x", CallState.FREE, None),
        ):
            call = calls.reserve(AI, replace(ASKED, slot=slot, role="review" if "review" in slot else "analyse"), AT, AT)
            calls.settle(AI, call.call_id, state, AT, usage=usage)
    told = brain.invoke(app, ["report", "costs", "--home", str(tmp_path), "--json"])
    assert told.exit_code == 0, told.output
    facts = json.loads(told.stdout.strip().splitlines()[-1])
    # 1,000 x 4 + 500 x 20 + 100 x 0.2 millionths, rounded up to a hundredth of a cent; the lost one as reserved.
    assert [(line["role"], line["calls"], line["unanswered"], Decimal(line["usd"])) for line in facts["nights"]] == [
        ("analyse", 2, 1, Decimal("0.0141") + Decimal("0.2")), ("review", 1, 1, Decimal(0)),
    ]
    assert facts["nights"][0]["input_tokens"] == 1_100
    assert Decimal(facts["total_usd"]) == Decimal("0.2141")
    shown = brain.invoke(app, ["report", "costs", "--home", str(tmp_path)])
    assert "analyse" in shown.stdout
    assert "$0.21 since the first night" in shown.stdout


def test_the_report_itself_is_still_asked_for_without_a_part(tmp_path: Path) -> None:
    told = brain.invoke(app, ["report", "--home", str(tmp_path), "--json"])
    assert told.exit_code == 1
    assert "there is no database" in json.loads(told.stdout.strip().splitlines()[-1])["error"]
    assert brain.invoke(app, ["report", "nonsense"]).exit_code == 2
