"""`brain approve` and `brain reject` say what Telegram says: recorded once, by name, with a shell running or without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deployments.cli.main import app
from shell.config import Settings
from shell.home import Home
from shell.host.port import StrategySource
from shell.promotion.permission import note_question
from shell.store.store import Store
from shell.trials.candidate import Proposal, Stage, StageResult
from tests.shell.page.homes import home_at
from tests.shell.store.examples import START

ASKING = Settings().model_copy(update={"mode": "live"})


def told(*arguments: str | Path, code: int = 0, said: str = "") -> dict[str, Any]:
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert done.exit_code == code, done.output
    assert said in done.output
    facts: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return facts


def candidate(store: Store, *, passed: Stage) -> str:
    source = StrategySource(code=f"class Strategy:\n    # {passed.value}\n    pass\n")
    proposal = Proposal(source=source, parent_version="v001", hypothesis="it trends", provider="local", seed=0)
    name = store.candidates.register(proposal, START).candidate_id
    store.candidates.record_stage(name, StageResult(stage=passed, passed=True, reasons=("9 of 9 agree",), inputs={}), START)
    return name


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home in live mode, whose c0001 passed its paper trial and waits, and whose c0002 passed its gate."""
    monkeypatch.setattr("deployments.opening.settings_for", lambda _place: ASKING)
    place = home_at(tmp_path / "home")
    with Store.open(place.database) as store:
        for passed in (Stage.PAPER, Stage.GATE):
            candidate(store, passed=passed)
        note_question(store, "c0001", START)
    return place


def test_it_lists_who_waits_and_records_a_word_where_no_shell_runs(home: Home) -> None:
    (waits,) = told("approve", "--home", home.root)["waiting"]
    assert (waits["candidate"], waits["hypothesis"]) == ("c0001", "it trends")
    assert waits["refused_at"] == (START + ASKING.orchestrator.approval_expires).isoformat()
    assert told("status", "--home", home.root)["approvals_waiting"] == ["c0001"]
    facts = told("approve", "C0001", "--by", "Ann  B", "--home", home.root)
    assert facts == {
        "candidate": "c0001", "approved": True, "by": "Ann B", "shell_running": False,
        "told": "it is promoted within a quarter of an hour, on the next night at the latest",
    }
    assert told("approve", "--home", home.root)["waiting"] == told("status", "--home", home.root)["approvals_waiting"] == []
    assert "refused within" in told("reject", "c0001", "--home", home.root)["told"]
    # Before its trial is over the word is kept, and nothing is said to happen at once.
    assert "once it has passed its paper trial" in told("approve", "c0002", "--home", home.root)["told"]
    with Store.open(home.database) as store:
        kept = [(each.candidate_id, each.approved, each.by) for each in store.approvals.list()]
        assert sorted(kept) == [("c0001", False, "the operator"), ("c0002", True, "the operator")]


def test_what_makes_no_sense_is_refused_with_a_sentence_and_not_asked_about(home: Home) -> None:
    with Store.open(home.database) as store:
        refused = StageResult(stage=Stage.PROMOTE, passed=False, reasons=("no",), inputs={})
        store.candidates.record_stage("c0001", refused, START)
    told("approve", "c0001", "--home", home.root, code=1, said="ended already: it is refused")
    told("reject", "c0099", "--home", home.root, code=1, said="there is no candidate c0099")
    told("approve", "c0002", "--by", " ", "--home", home.root, code=2, said="--by needs a name")
    done = CliRunner().invoke(app, ["approve", "c0001", "--home", str(home.root)])
    assert (done.exit_code, "Let it be promoted" in done.output) == (1, False)


def test_a_person_is_shown_the_candidate_and_asked_once_more(home: Home) -> None:
    words = ["approve", "c0001", "--home", str(home.root)]
    no = CliRunner().invoke(app, words, input="n\n")
    assert (no.exit_code, "nothing was decided" in no.output, "9 of 9 agree" in no.output) == (1, True, True)
    with Store.open(home.database) as store:
        assert store.approvals.get("c0001") is None
    assert CliRunner().invoke(app, words, input="y\n").exit_code == 0
    with Store.open(home.database) as store:
        assert [(each.candidate_id, each.approved) for each in store.approvals.list()] == [("c0001", True)]
    assert "Nobody waits for your word" in CliRunner().invoke(app, ["approve", "--home", str(home.root)]).output
