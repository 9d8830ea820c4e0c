"""What a flow may not tell the shell: a score that is not true, a class, a moment, or that a trial is over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from deployments.opening import OpenHome, account_overrides, open_replay, settings_for
from shell.control.methods import methods
from shell.desk import Desk
from shell.errors import NotNow, Rejected, UsageError
from shell.host.port import StrategySource
from shell.market.synthetic import synthetic_market
from shell.trials.candidate import ChangeClass, Proposal, TrialScore
from shell.trials.segments import SegmentName
from tests.deployments.test_promotion import CLOCKWORK, SOURCE, START, SYMBOLS, home_before
from tests.shell.promotion import honest


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenHome]:
    """A home with just enough history for segments."""
    history = synthetic_market(5, SYMBOLS, START - timedelta(days=66), 68)
    home = home_before(tmp_path_factory.mktemp("lying") / "home", CLOCKWORK)
    held = open_replay(home, settings_for(home, account_overrides(SYMBOLS)), history, START, START + timedelta(days=1))
    held.shell.start(START)
    held.shell.step(START, origin="rehearsal")
    yield held
    held.close()


def registered(desk: Desk, source: StrategySource, parent: str = "v001") -> str:
    proposal = Proposal(source=source, parent_version=parent, hypothesis="by the clock", provider="person", seed=0)
    return desk.register_candidate(proposal, START).candidate_id


def true_score(desk: Desk, name: str) -> TrialScore:
    """A score of the candidate as the shell must believe it: its code, the segment's candles, figures of its own returns."""
    segment, data = desk.shell.access.selection_scored(START)
    values = honest.returns(0.3, 3)[: round(segment.days)]
    return replace(
        honest.score_of(name, SOURCE, START, values), data_hash=data,
        sharpe=honest.figures(values).daily_sharpe, total_return_pct=honest.compounded(values),
    )


LIES = {
    "Sharpe ratio of": {"sharpe": 0.9},
    "in all, not 50": {"total_return_pct": 0.5},
    "is told as": {"daily_returns": "nan"},
    "not of its own": {"source_hash": "0" * 16},
    "is on other candles": {"data_hash": "d"},
    "daily returns for": {"daily_returns": "short"},
}


def test_a_score_is_taken_only_if_it_is_let_in_and_true(opened: OpenHome) -> None:
    desk = Desk(opened.shell)
    name = registered(desk, SOURCE)
    score = true_score(desk, name)
    with pytest.raises(Rejected, match="was never given the selection segment"):
        desk.record_score(score)
    desk.history(SegmentName.SELECTION, name, START)
    for said, changes in LIES.items():
        match changes.get("daily_returns"):
            case "nan":
                lie = replace(score, daily_returns=(float("nan"), *score.daily_returns[1:]))
            case "short":
                lie = replace(score, daily_returns=score.daily_returns[1:])
            case _:
                lie = replace(score, **changes)
        with pytest.raises(Rejected, match=said):
            desk.record_score(lie)
    with pytest.raises(UsageError, match="has not come"):
        desk.record_score(replace(score, scored_at=START + timedelta(days=40)))
    assert desk.scores(SegmentName.SELECTION) == []
    desk.record_score(score)
    assert desk.scores(SegmentName.SELECTION) == [score]


def test_how_long_a_paper_trial_lasts_and_when_it_begins_is_the_shells_to_say(opened: OpenHome) -> None:
    desk, shell = Desk(opened.shell), opened.shell
    assert set(methods()["start_paper"].arguments.model_fields) == {"candidate_id", "now"}
    tweak = registered(desk, SOURCE)
    desk.classify(tweak, ChangeClass.TWEAK)
    begun = desk.start_paper(tweak, START - timedelta(days=30))
    assert (begun.started_at, begun.due_at) == (shell.now, shell.now + timedelta(days=1))
    # Called a tweak, and in truth another strategy altogether.
    other = StrategySource(code=CLOCKWORK.replace("class Strategy:", "class Helper:\n    pass\n\n\nclass Strategy:"))
    overhaul = registered(desk, other)
    desk.classify(overhaul, ChangeClass.TWEAK)
    assert desk.start_paper(overhaul, START).due_at == shell.now + timedelta(days=7)
    # A reviewer may raise it above what the difference shows.
    raised = registered(desk, StrategySource(code=CLOCKWORK.replace("0.05", "0.04")))
    desk.classify(raised, ChangeClass.RESTRUCTURE)
    assert desk.start_paper(raised, START).due_at == shell.now + timedelta(days=2)
    for ask in (
        lambda: desk.start_paper(tweak, shell.now + timedelta(hours=1)),
        lambda: desk.settle_paper(begun.trial_id, begun.due_at),
        lambda: desk.promote(tweak, shell.now + timedelta(days=8)),
    ):
        with pytest.raises(UsageError, match="has not come"):
            ask()
    with pytest.raises(NotNow, match="is due at"):
        desk.settle_paper(begun.trial_id, shell.now)
