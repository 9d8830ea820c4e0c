"""`brain strategy search`, `lineage` and `brain report worth` on a home's database alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deployments.cli.main import app
from shell.home import Home
from shell.store.store import Store
from tests.tasks.sources import proposal, rule

AT = datetime(2024, 3, 2, 5, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> str:
    place = Home.private(tmp_path / "home").create()
    with Store.open(place.database) as store:
        store.strategies.insert(version="v001", hash="aaaa", parent="v000", hypothesis="slow trends", source=rule(fast=12))
        store.strategies.activate("v001", AT)
        store.candidates.register(proposal(rule(fast=4)), AT)
    return str(place.root)


def answer(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def test_search_finds_and_lineage_draws(home: str) -> None:
    assert [each["name"] for each in answer("strategy", "search", "slow trend", "--home", home)["found"]] == ["v001"]
    assert [(each["name"], each["depth"]) for each in answer("strategy", "lineage", "--home", home)["nodes"]] == [
        ("v001", 0), ("c0001", 1),
    ]
    shown = CliRunner().invoke(app, ["strategy", "lineage", "--home", home])
    assert "└─ c0001" in shown.output
    refused = CliRunner().invoke(app, ["strategy", "lineage", "v999", "--home", home])
    assert refused.exit_code == 1 and "no version or candidate v999" in refused.output


def test_worth_has_a_row_a_proposer(home: str) -> None:
    rows = {each["provider"]: each for each in answer("report", "worth", "--home", home)["proposers"]}
    assert rows["person"]["proposed"] == 1 and rows["local"]["trials"] == 0
    assert CliRunner().invoke(app, ["report", "worth", "--home", home]).exit_code == 0
