"""A candidate's page shows what its stages said and links its runs, and nothing a model wrote becomes markup."""

from __future__ import annotations

import re
from dataclasses import replace

from flows.page import page_links, page_text
from shell.trials.candidate import Candidate, Stage, StageResult, Verdict
from tests.tasks.memory_shell import NOW
from tests.tasks.sources import proposal, rule


def candidate(hypothesis: str) -> Candidate:
    stage = StageResult(stage=Stage.REVIEW, passed=False, reasons=("line 3 | no stop",), inputs={})
    return Candidate(
        candidate_id="c0001", proposed_at=NOW, proposal=replace(proposal(rule()), hypothesis=hypothesis), source_hash="ab",
        change_class=None, stage=Stage.REVIEW, verdict=Verdict.REFUSED, reasons=stage.reasons, stages=(stage,),
    )


def test_a_page_tells_the_stages_and_links_every_run() -> None:
    text = page_text(candidate("it trends"), [('evolve c0001 "it trends"', "http://127.0.0.1:1/runs/flow-run/7"), ("old", "")])
    assert "## c0001: refused at review" in text
    assert "| review | no | line 3 \\| no stop |" in text
    assert '- [evolve c0001 "it trends"](http://127.0.0.1:1/runs/flow-run/7)' in text
    assert text.splitlines()[-1] == "- old"


def test_a_hypothesis_cannot_write_markup_of_its_own() -> None:
    text = page_text(candidate("<img src=x> [click](http://bad)\n# big"), [("[x](http://bad)", "")])
    assert re.search(r"(?<!\\)<", text) is None
    assert "[click](" not in text
    assert "[x](" not in text
    assert "\n# big" not in text


def test_a_night_links_each_candidate_once() -> None:
    assert page_links([None, "c0002", "c0001", "c0002"]).splitlines()[-2:] == [
        "- [c0002](/artifacts/key/candidate-c0002)", "- [c0001](/artifacts/key/candidate-c0001)",
    ]
    assert page_links([None]) == ""
