"""A candidate's last steps on a real shell: paper trial, conformance, promotion, and a failure at every boundary of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deployments.opening import OpenHome, account_overrides, furnish, open_replay, settings_for
from shell.config import GateConfig
from shell.desk import Desk
from shell.errors import Rejected, UsageError
from shell.home import Home
from shell.host.port import StrategySource
from shell.market.synthetic import synthetic_market
from shell.promotion import swap
from shell.promotion.swap import recover
from shell.trials.candidate import Proposal, Stage, StageResult, Verdict, source_hash
from shell.trials.segments import SegmentName
from tests.shell.promotion import honest

START = datetime(2026, 3, 2, 5, tzinfo=UTC)
STEP = timedelta(minutes=5)
SYMBOLS = ("BTC/USD", "ETH/USD")

# Buys and sells by the clock: every two hours in, an hour later out. So a day of paper has more than five fills.
CLOCKWORK = """
from shell.contract import Action, Signal


class Strategy:
    scan_interval_minutes = 60

    def initialize(self, risk_limits, symbols):
        pass

    def analyze(self, markets, portfolio, timestamp):
        if portfolio.positions:
            return [Signal(position.symbol, Action.CLOSE) for position in portfolio.positions]
        if timestamp.hour % 2 == 0:
            return [Signal("BTC/USD", Action.BUY, 0.05)]
        return []

    def on_fill(self, symbol, action, qty, price, intent):
        pass

    def on_position_closed(self, symbol, pnl, pnl_pct):
        pass

    def get_state(self):
        return {}

    def load_state(self, state):
        pass
"""
SOURCE = StrategySource(code=CLOCKWORK)


def home_before(folder: Path, code: str) -> Home:
    """A home whose strategy differs from `code` by a number, so that a day of paper is enough, and never buys."""
    home = Home.private(folder)
    furnish(home)
    (home.workspace / "active" / "strategy.py").write_text(code.replace("== 0", "== 7").replace("== 1", "== 7"))
    return home


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[OpenHome]:
    history = synthetic_market(5, SYMBOLS, START - timedelta(days=40), 45)
    home = home_before(tmp_path / "home", CLOCKWORK)
    held = open_replay(home, settings_for(home, account_overrides(SYMBOLS)), history, START, START + timedelta(days=4))
    held.shell.start(START)
    held.shell.step(START, origin="rehearsal")
    yield held
    held.close()


def go_to(opened: OpenHome, moment: datetime) -> None:
    now = opened.shell.now
    while now < moment:
        now += STEP
        opened.shell.step(now, origin="rehearsal")


def on_trial(opened: OpenHome) -> str:
    """A candidate that has passed the gate, with its day of paper trading behind it and judged."""
    desk = Desk(opened.shell)
    candidate = honest.gated(opened.store, SOURCE, START)
    trial = desk.start_paper(candidate, START)
    go_to(opened, trial.due_at)
    conformance = desk.settle_paper(trial.trial_id, trial.due_at)
    assert conformance.passed, conformance.reasons
    assert conformance.fills_paper == conformance.fills_equal >= 5
    # Whoever asks again is told the same, and nothing happens twice.
    before = opened.store.events.newest_seq()
    assert desk.settle_paper(trial.trial_id, trial.due_at) == conformance
    assert opened.store.events.newest_seq() == before
    honest.run_again(opened.store, candidate, trial.due_at)
    return candidate


def test_a_trial_does_what_its_backtest_says_and_its_candidate_is_promoted_between_two_scans(opened: OpenHome) -> None:
    candidate = on_trial(opened)
    desk, now = Desk(opened.shell), opened.shell.now
    promotion = desk.promote(candidate, now)
    assert (promotion.version, promotion.previous) == ("v002", "v001")
    assert desk.promote(candidate, now) == promotion
    assert desk.candidate(candidate).verdict is Verdict.PROMOTED
    assert source_hash(opened.shell.workspace.active()) == source_hash(SOURCE) == promotion.hash
    assert (opened.home.workspace / "archive" / "strategy_v002.py").read_text() == CLOCKWORK
    go_to(opened, now + timedelta(hours=2))
    fills = opened.store.history.fills("main")
    assert {fill.intent.version for fill in fills} == {"v002"}
    assert opened.store.books.check("main") == opened.store.books.check("trial:t0001") == []


def test_thresholds_that_came_with_the_inputs_do_not_stand_for_those_of_the_settings(opened: OpenHome) -> None:
    """A caller may store any verdict with any thresholds; the shell's own decide."""
    desk, store, now = Desk(opened.shell), opened.store, opened.shell.now
    lax = GateConfig(min_deflated_sharpe=0.01, max_overfitting_probability=1.0, max_spa_p_value=1.0)
    name = honest.judged(store, honest.scored(store, SOURCE, now, sharpe=0.1), now, config=lax)
    honest.tried(store, name, now)
    with pytest.raises(Rejected, match="settings in force, refuses: deflated_sharpe"):
        desk.promote(name, now)


@pytest.mark.parametrize("boundary", ["prepare", "place", "insert", "activate", "commit"])
def test_a_promotion_that_fails_anywhere_leaves_the_old_version_whole(
    opened: OpenHome, boundary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate = on_trial(opened)
    shell, desk, now = opened.shell, Desk(opened.shell), opened.shell.now
    before = source_hash(shell.workspace.active())
    owner = {"place": swap.Workspace, "insert": type(shell.store.strategies), "activate": type(shell.store.strategies)}.get(
        boundary, type(shell.store.promotions)
    )
    works = getattr(owner, boundary)

    def breaks(*arguments: object, **named: object) -> object:
        monkeypatch.setattr(owner, boundary, works)
        works(*arguments, **named)
        raise OSError("the disk is full")

    monkeypatch.setattr(owner, boundary, breaks)
    with pytest.raises(OSError, match="disk is full"):
        desk.promote(candidate, now)
    assert shell.active_strategy().version == shell.engine.config.version == "v001"
    assert source_hash(shell.workspace.active()) == before
    assert shell.store.promotions.unfinished() == []
    assert [row.version for row in shell.store.strategies.list()] == ["v000", "v001"]
    assert desk.promote(candidate, now).version == "v002"


# Does the same by counting its scans, so a start from nothing shows at once.
COUNTING = CLOCKWORK.replace("def initialize(self, risk_limits, symbols):\n        pass", "def initialize(self, risk_limits, symbols):\n        self.scans = 0")
COUNTING = COUNTING.replace("        if portfolio.positions:", "        self.scans += 1\n        if portfolio.positions:", 1)
COUNTING = COUNTING.replace("timestamp.hour % 2 == 0", "self.scans % 3 == 1").replace("return {}", 'return {"scans": self.scans}')
COUNTING = COUNTING.replace("def load_state(self, state):\n        pass", 'def load_state(self, state):\n        self.scans = state["scans"]')


def test_a_trial_goes_on_with_its_strategys_state_after_a_stop_in_the_middle(tmp_path: Path) -> None:
    history = synthetic_market(5, SYMBOLS, START - timedelta(days=40), 45)
    home = home_before(tmp_path / "home", COUNTING)
    settings, end = settings_for(home, account_overrides(SYMBOLS)), START + timedelta(days=4)
    source = StrategySource(code=COUNTING)
    with contextlib.closing(open_replay(home, settings, history, START, end)) as opened:
        opened.shell.start(START)
        opened.shell.step(START, origin="rehearsal")
        desk = Desk(opened.shell)
        proposal = Proposal(source=source, parent_version="v001", hypothesis="counts", provider="person", seed=0)
        candidate = desk.register_candidate(proposal, START).candidate_id
        trial = desk.start_paper(candidate, START)
        # Seven hours and a half: no whole number of its rounds of three.
        go_to(opened, START + timedelta(hours=7, minutes=30))
        opened.shell.shutdown(opened.shell.now)
    with contextlib.closing(open_replay(home, settings, history, START + timedelta(hours=7, minutes=30), end)) as opened:
        opened.shell.start(START + timedelta(hours=7, minutes=30))
        opened.shell.step(START + timedelta(hours=7, minutes=30), origin="rehearsal")
        go_to(opened, trial.due_at)
        conformance = Desk(opened.shell).settle_paper(trial.trial_id, trial.due_at)
    assert conformance.passed, conformance.reasons
    assert conformance.fills_paper == conformance.fills_equal >= 10


def test_start_up_undoes_a_promotion_that_a_crash_interrupted(opened: OpenHome) -> None:
    candidate = on_trial(opened)
    shell, now = opened.shell, opened.shell.now
    prepared = swap.Promotion(candidate_id=candidate, version="v002", previous="v001", hash=source_hash(SOURCE), at=now)
    shell.store.promotions.prepare(prepared)
    shell.workspace.place("v002", SOURCE)
    sentences = recover(shell.store, shell.workspace, now)
    assert any("interrupted and is undone" in sentence for sentence in sentences)
    assert source_hash(shell.workspace.active()) == shell.active_strategy().hash


def test_a_persons_edit_of_the_active_file_is_left_alone_and_pointed_out(opened: OpenHome) -> None:
    shell = opened.shell
    shell.workspace.active_file.write_text("# mine\n" + CLOCKWORK)
    (sentence,) = recover(shell.store, shell.workspace, shell.now)
    assert "brain strategy submit" in sentence
    assert shell.workspace.active_file.read_text().startswith("# mine")


def test_a_stage_alone_is_no_trial(opened: OpenHome) -> None:
    desk, now = Desk(opened.shell), opened.shell.now
    candidate = honest.gated(opened.store, SOURCE, now)
    desk.record_stage(candidate, StageResult(stage=Stage.PAPER, passed=True, reasons=("trust me",), inputs={}), now)
    with pytest.raises(Rejected, match="has not passed a paper trial"):
        desk.promote(candidate, now)


def test_a_trial_that_fails_again_and_again_is_ended_and_its_candidate_refused(opened: OpenHome) -> None:
    desk = Desk(opened.shell)
    broken = StrategySource(code=CLOCKWORK.replace("        if portfolio.positions:", "        1 / 0\n        if portfolio.positions:"))
    proposal = Proposal(source=broken, parent_version="v001", hypothesis="breaks", provider="person", seed=0)
    candidate = desk.register_candidate(proposal, START).candidate_id
    trial = desk.start_paper(candidate, START)
    go_to(opened, START + timedelta(hours=3))
    assert desk.paper_trials() == []
    assert desk.candidate(candidate).verdict is Verdict.REFUSED
    assert opened.store.paper.get(trial.trial_id).state == "failed"
    cut_short = desk.settle_paper(trial.trial_id, opened.shell.now)
    assert not cut_short.passed
    assert "failed 3 times in a row" in cut_short.reasons[0]
    assert desk.untold_trials("2026-03-02") == [opened.store.paper.get(trial.trial_id)]
    opened.store.nights.record("2026-03-01", {"settled": [{"trial": trial.trial_id}]}, opened.shell.now)
    assert desk.untold_trials("2026-03-02") == []


def test_changed_limits_halt_openings_until_a_person_accepts_them(opened: OpenHome) -> None:
    shell = opened.shell
    assert shell.engine.halts == {}
    shell.store.facts.set("risk_limits.hash", "what a person accepted before")
    shell.start(shell.now)
    assert [kind.value for kind in shell.engine.halts] == ["LIMITS_CHANGED"]
    shell.lift(next(iter(shell.engine.halts)), "a person", shell.now)
    shell.start(shell.now)
    assert shell.engine.halts == {}


def test_a_note_from_brain_kill_is_heeded_at_the_next_step(opened: OpenHome) -> None:
    opened.home.kill_file.write_text("fire in the house")
    go_to(opened, START + STEP)
    assert [halt.sentence for halt in opened.store.halts.active("main")] == ["fire in the house"]
    assert not opened.home.kill_file.exists()


def test_a_bad_day_rolls_back_one_version_and_no_further(opened: OpenHome) -> None:
    candidate = on_trial(opened)
    desk, shell = Desk(opened.shell), opened.shell
    desk.promote(candidate, shell.now)
    store, now = shell.store, shell.now
    store.strategies.insert(
        version="v003", hash="0" * 16, parent="v002", hypothesis="a third", source=SOURCE, state="archived"
    )
    store.strategies.activate("v003", now - timedelta(days=1))
    marks = shell.engine.marks
    assert marks is not None
    shell.engine.marks = replace(marks, day_start=marks.day_start.scaled(2))
    for _ in range(3):
        now += STEP
        shell.step(now, origin="rehearsal")
    assert store.strategies.active().version == "v002"


def test_the_desk_knows_no_segments_of_a_moment_that_has_not_come(opened: OpenHome) -> None:
    desk, later = Desk(opened.shell), opened.shell.now + timedelta(days=40)
    for ask in (
        lambda: desk.segments(later), lambda: desk.budget(later), lambda: desk.history(SegmentName.SEARCH, None, later),
    ):
        with pytest.raises(UsageError, match="the shell stands at 2026-03-02"):
            ask()
    assert opened.store.looks.newest() is None
