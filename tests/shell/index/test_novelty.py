"""Which proposals repeat a failed idea, and which are ideas of their own."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shell.host.port import StrategySource
from shell.index.normal import normal_form, normal_hash
from shell.index.novelty import failed_ideas, repeat_of
from shell.trials.candidate import Candidate, ChangeClass, Stage, StageResult, Verdict, source_hash
from tests.tasks.sources import proposal, rule

NUMBERS = {
    "channel": 48, "change_bars": 24, "change_above": 0.01, "hours_held": 48, "rsi_period": 8, "rsi_below": 40,
    "trail_ranges": 4.0, "band_ranges": 1.0, "discount_pct": 0.001,
}
IDEA = rule(**NUMBERS, fast=4, slow=30)


def refused(source: StrategySource, stage: Stage = Stage.GATE, name: str = "c0001") -> Candidate:
    result = StageResult(stage=stage, passed=False, reasons=("deflated_sharpe: 0.3 of 0.95",), inputs={})
    return Candidate(
        candidate_id=name, proposed_at=datetime(2024, 1, 1, tzinfo=UTC), proposal=proposal(source),
        source_hash=source_hash(source), change_class=ChangeClass.TWEAK, stage=stage, verdict=Verdict.REFUSED,
        reasons=result.reasons, stages=(result,),
    )


def edited(*pairs: tuple[str, str]) -> StrategySource:
    code = IDEA.code
    for before, after in pairs:
        assert before in code, before
        code = code.replace(before, after)
    return StrategySource(code=code)


REPEATS = {
    "a comment": edited(("PATIENCE_HOURS = 24", "PATIENCE_HOURS = 24  # a day")),
    "another docstring": edited(("looks once an hour, when an hourly bar has closed", "it looks often")),
    "other names": edited(("PATIENCE_HOURS", "WAIT"), ("self._peak", "self._highest"), ("signals", "found")),
    "a constant nobody reads": edited(("    def initialize", "    extra = 5\n\n    def initialize")),
    "numbers moved by less than two digits show": edited(("PATIENCE_HOURS = 24", "PATIENCE_HOURS = 24.1")),
    "methods in another order": StrategySource(
        code="\n".join([
            IDEA.code.split("    def get_state")[0].rstrip(),
            "    def load_state" + IDEA.code.split("    def load_state")[1].split("    def _enters")[0].rstrip(),
            "    def get_state" + IDEA.code.split("    def get_state")[1].split("    def load_state")[0].rstrip(),
            "    def _enters" + IDEA.code.split("    def _enters")[1],
        ])
    ),
}
NEW = {
    "another number": rule(**NUMBERS, fast=8, slow=30),
    "another stop": rule(**NUMBERS, fast=4, slow=30, stop_ranges=4.0),
    "a comparison turned round": edited((") > last(", ") < last(")),
    "another term": rule(**NUMBERS, fast=4, slow=30, term_1="momentum"),
    "a second term": rule(**NUMBERS, fast=4, slow=30, term_2="breakout"),
    "another exit": rule(**NUMBERS, fast=4, slow=30, exit="trail"),
    "another order": rule(**NUMBERS, fast=4, slow=30, order="limit"),
    "another time frame": edited(('"1h"', '"1d"')),
}


@pytest.mark.parametrize("name", REPEATS)
def test_a_failed_idea_in_other_words_is_found(name: str) -> None:
    found = repeat_of(REPEATS[name], [refused(rule(fast=12), name="c0000"), refused(IDEA)])
    assert found is not None and found.candidate_id == "c0001", normal_form(REPEATS[name])
    assert "had before: c0001" in str(found) and "deflated_sharpe" in str(found)


@pytest.mark.parametrize("name", NEW)
def test_another_idea_is_not_taken_for_it(name: str) -> None:
    assert repeat_of(NEW[name], [refused(IDEA)]) is None


def test_no_two_rules_of_the_grammar_repeat_one_another() -> None:
    rules = [
        rule(**{**NUMBERS, "fast": fast, "slow": 60, "term_1": term, "exit": leave})
        for fast, term, leave in itertools.product((4, 6), ("trend", "rsi"), ("opposite", "trail", "time"))
    ]
    distinct = {source_hash(each): each for each in rules}
    assert len({normal_hash(each) for each in distinct.values()}) == len(distinct) > 6
    for digest, one in distinct.items():
        assert repeat_of(one, [refused(each) for key, each in distinct.items() if key != digest]) is None


def test_only_what_failed_on_its_merits_counts() -> None:
    judged = [refused(IDEA, stage) for stage in Stage]
    assert [each.stage for each in failed_ideas(judged)] == [Stage.GATE, Stage.PAPER]
    promoted = replace(refused(IDEA, Stage.GATE), verdict=Verdict.PROMOTED)
    assert failed_ideas([promoted]) == []


def test_what_does_not_parse_is_left_to_the_review() -> None:
    broken = StrategySource(code="def (")
    assert repeat_of(broken, [refused(IDEA)]) is None
    assert repeat_of(IDEA, [refused(broken)]) is None


def test_skills_are_part_of_an_idea() -> None:
    one, other = (StrategySource(code=IDEA.code, skills={"a": f"X = {value}\n\n\ndef f():\n    return X"}) for value in (1, 2))
    assert normal_hash(one) != normal_hash(other)
    assert repeat_of(one, [refused(other)]) is None
