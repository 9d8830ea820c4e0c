"""What a fault of the strategy comes to on a real shell: quarantine for an attempt, a fresh process and its state for others.

The strategies here attack for real, so their hosts do not ask the policy, which would not let them run.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from deployments.cli.output import console_for
from deployments.cli.status import _view
from deployments.opening import OpenHome, account_overrides, open_replay, settings_for
from deployments.standing import standing_of
from shell import service, start_up, versions
from shell.backtest.driver import run_backtest
from shell.backtest.result import BacktestSettings
from shell.config import HostConfig, PaperConfig, RiskConfig
from shell.contract import Signal
from shell.desk import Desk
from shell.errors import NotNow, Rejected, StrategyFault
from shell.home import Home
from shell.host.port import ScanRequest, StrategySource
from shell.host.supervisor import HostedStrategy
from shell.market.history import History
from shell.market.synthetic import synthetic_market
from shell.money import QuoteAmount
from shell.promotion import quarantine as quarantine_module
from shell.promotion.swap import recover
from shell.trials.candidate import Proposal, Stage, Verdict, source_hash

START = datetime(2026, 3, 2, 5, tzinfo=UTC)
STEP = timedelta(minutes=5)
SYMBOLS = ("BTC/USD", "ETH/USD")

CODE = """
import os, signal
from shell.contract import Action, Signal


class Strategy:
    scan_interval_minutes = 5

    def initialize(self, risk_limits, symbols):
        self.scans = 0

    def analyze(self, markets, portfolio, timestamp):
        self.scans += 1
        {body}
        return []

    def on_fill(self, symbol, action, qty, price, intent):
        pass

    def on_position_closed(self, symbol, pnl, pnl_pct):
        pass

    def get_state(self):
        {state}
        return {{"scans": self.scans}}

    def load_state(self, state):
        self.scans = state["scans"]
"""


def strategy(body: str = "pass", state: str = "pass") -> StrategySource:
    return StrategySource(code=CODE.format(body=body, state=state))


GOOD = strategy()
CAUGHT_AT_2, CAUGHT_AT_3 = (strategy(f"if self.scans == {scan}: os.kill(os.getpid(), signal.SIGSYS)") for scan in (2, 3))

Opening = Callable[..., AbstractContextManager[OpenHome]]


@pytest.fixture(scope="module")
def history() -> History:
    return synthetic_market(5, SYMBOLS, START - timedelta(days=31), 33)


@pytest.fixture
def opening(tmp_path: Path, history: History, monkeypatch: pytest.MonkeyPatch) -> Opening:
    """Opens a home whose versions are v000, v001 and `versions` behind them, the last of them active."""
    for module in (service, versions):
        monkeypatch.setattr(module, "HostedStrategy", partial(HostedStrategy, check_policy=False))

    @contextmanager
    def open_home(*versions: StrategySource) -> Iterator[OpenHome]:
        home = Home.private(tmp_path / "home")
        settings = settings_for(home, account_overrides(SYMBOLS))
        held = open_replay(home, settings, history, START, START + timedelta(days=2))
        try:
            held.shell.start(START)
            for number, source in enumerate(versions, start=2):
                name, parent = f"v{number:03d}", f"v{number - 1:03d}"
                held.store.strategies.insert(
                    version=name, hash=source_hash(source), parent=parent, hypothesis=name, source=source
                )
                held.store.strategies.activate(name, START)
                held.shell.workspace.place(name, source)
            held.shell.start(START)
            yield held
        finally:
            held.close()

    return open_home


def go(opened: OpenHome, steps: int) -> None:
    for _ in range(steps):
        opened.shell.step(opened.shell.now + STEP, origin="rehearsal")


def proposal(source: StrategySource) -> Proposal:
    return Proposal(source=source, parent_version="v001", hypothesis="mine", provider="person", seed=0)


def states(opened: OpenHome) -> dict[str, str]:
    return {row.version: row.state for row in opened.store.strategies.list()}


def test_an_attempt_ends_the_active_version_at_once_and_for_good(opening: Opening) -> None:
    with opening(GOOD, CAUGHT_AT_2) as opened:
        shell, store, desk = opened.shell, opened.store, Desk(opened.shell)
        go(opened, 1)
        assert shell.engine.config.version == "v003"
        go(opened, 1)
        assert shell.engine.config.version == shell.active_strategy().version == "v002"
        assert states(opened)["v003"] == "quarantined"
        assert source_hash(shell.workspace.active()) == source_hash(GOOD)
        (told,) = [each for each in store.outbox.list() if each.kind == "quarantine"]
        assert told.severity == "critical"
        assert told.text.startswith("v003 tried what honest code never does and is in quarantine for good: ")
        assert told.text.endswith("v002 is active in place of v003")
        assert [event.payload["name"] for event in store.events.rows(kind="quarantine")] == ["v003"]
        assert [event.payload["version"] for event in store.events.rows(kind="rollback")] == ["v002"]

        store.candidates.submit(proposal(CAUGHT_AT_2), shell.now)
        for attempt in (
            lambda: store.strategies.activate("v003", shell.now),
            lambda: desk.register_candidate(proposal(CAUGHT_AT_2), shell.now),
        ):
            with pytest.raises(Rejected, match=r"in quarantine and never runs again: v003 was caught at .* UTC: "):
                attempt()
        assert desk.submissions() == []
        go(opened, 2)
        assert [scan.fault for scan in store.scans.list("main")][-2:] == ["", ""]
        assert shell.rollback("by hand", shell.now).version == "v001"


def test_an_attempt_when_asked_for_its_state_is_one_as_well(opening: Opening) -> None:
    with opening(GOOD, strategy(state="if self.scans == 2: os.kill(os.getpid(), signal.SIGSYS)")) as opened:
        go(opened, 2)
        assert opened.shell.engine.config.version == "v003"
        opened.shell.pause()
        assert opened.shell.engine.config.version == "v002"
        assert states(opened)["v003"] == "quarantined"


def test_an_attempt_in_the_middle_of_a_backtest_ends_it_at_once(history: History) -> None:
    settings = BacktestSettings(
        cash=QuoteAmount(10_000), paper=PaperConfig(), risk=RiskConfig(), zone=ZoneInfo("UTC"), host=HostConfig()
    )
    host = HostedStrategy(CAUGHT_AT_2, settings.host, check_policy=False)
    with pytest.raises(StrategyFault) as caught:
        run_backtest(CAUGHT_AT_2, history, start=START, end=START + timedelta(days=1), settings=settings, host=host)
    assert caught.value.kind == "attempt"


def test_what_was_quarantined_while_active_is_replaced_after_a_crash_in_between(opening: Opening) -> None:
    with opening(CAUGHT_AT_2, GOOD) as opened:
        store, now = opened.store, opened.shell.now
        store.strategies.quarantine(source_hash(GOOD), "v003", "caught", now)
        store.strategies.quarantine(source_hash(CAUGHT_AT_2), "v002", "caught as well", now)
        assert states(opened)["v003"] == "active"
        (sentence,) = recover(store, opened.shell.workspace, now)
        assert sentence == "v003 is in quarantine and was still active; v001 takes its place"
        assert states(opened) == {"v000": "archived", "v001": "active", "v002": "quarantined", "v003": "quarantined"}
        assert source_hash(opened.shell.workspace.active()) == store.strategies.active().hash


def test_where_nothing_is_left_to_go_back_to_openings_are_halted(opening: Opening) -> None:
    with opening(CAUGHT_AT_2) as opened:
        floor = opened.store.strategies.get("v000")
        opened.store.strategies.quarantine(floor.hash, "v000", "caught before", START)
        opened.store.strategies.quarantine(opened.store.strategies.get("v001").hash, "v001", "caught before", START)
        go(opened, 3)
        assert [kind.value for kind in opened.shell.engine.halts] == ["STRATEGY_FAULTS"]
        assert opened.shell.active_strategy().version == "v002"
        assert len([each for each in opened.store.outbox.list() if each.kind == "quarantine"]) == 1


def test_a_trial_that_attempts_ends_and_takes_other_trials_of_its_code_with_it(opening: Opening) -> None:
    with opening() as opened:
        desk, store, shell = Desk(opened.shell), opened.store, opened.shell
        caught, other = (
            desk.register_candidate(replace(proposal(CAUGHT_AT_3), provider=who), START).candidate_id for who in ("person", "local")
        )
        good = desk.register_candidate(proposal(GOOD), START).candidate_id
        waiting = desk.register_candidate(replace(proposal(CAUGHT_AT_3), provider="third"), START).candidate_id
        first = desk.start_paper(caught, START)
        go(opened, 1)
        second = desk.start_paper(other, shell.now)
        kept = desk.start_paper(good, shell.now)
        assert len(desk.paper_trials()) == 3
        go(opened, 1)
        assert [trial.trial_id for trial in desk.paper_trials()] == [kept.trial_id]
        assert [store.paper.get(trial.trial_id).state for trial in (first, second, kept)] == ["failed", "failed", "running"]
        for candidate, stage in ((caught, Stage.PAPER), (other, Stage.PAPER), (waiting, Stage.PROMOTE)):
            assert (desk.candidate(candidate).verdict, desk.candidate(candidate).stage) == (Verdict.REFUSED, stage)
            assert "in quarantine and never runs again" in desk.candidate(candidate).reasons[0]
        assert desk.candidate(good).verdict is Verdict.PENDING
        assert shell.active_strategy().version == shell.engine.config.version == "v001"
        with pytest.raises(Rejected, match="in quarantine"):
            desk.promote(caught, shell.now)


def test_a_trial_whose_code_was_caught_before_a_restart_does_not_go_on(opening: Opening) -> None:
    with opening() as opened:
        desk, shell = Desk(opened.shell), opened.shell
        candidate = desk.register_candidate(proposal(GOOD), START).candidate_id
        trial = desk.start_paper(candidate, START)
        opened.store.strategies.quarantine(source_hash(GOOD), "v007", "caught", START)
        shell.trials.close()
        assert shell.trials.resume(START) == 0
        assert opened.store.paper.get(trial.trial_id).state == "failed"


# --- other faults -----------------------------------------------------------------------------------------------------


def saved(opened: OpenHome) -> int:
    opened.shell.pause()
    state = opened.store.strategies.load_state("main", opened.shell.active_strategy().hash)
    assert state is not None
    return int(state["scans"])


def test_after_a_fault_a_fresh_process_goes_on_from_the_state_that_was_kept(opening: Opening) -> None:
    crashing = strategy("if self.scans == 4 and timestamp.minute == 20: os._exit(3)")
    with opening(crashing) as opened:
        go(opened, 3)
        before = opened.shell.engine.seat
        assert saved(opened) == 3
        go(opened, 1)
        assert opened.shell.engine.faults_in_row == 1
        assert not before.up
        go(opened, 1)
        assert (opened.shell.engine.faults_in_row, opened.shell.active_strategy().version) == (0, "v002")
        assert saved(opened) == 4


class PanicsOnce(HostedStrategy):
    """A host whose library panics at the second question to one process."""

    left = 1
    asked = 0

    def analyze(self, request: ScanRequest) -> list[Signal]:
        PanicsOnce.asked += 1
        if PanicsOnce.asked == 2 and PanicsOnce.left:
            PanicsOnce.left -= 1
            self.close()
            raise StrategyFault("error", "line 3: PanicException: async-executor: WouldBlock", 3)
        return super().analyze(request)


def test_a_librarys_panic_is_asked_again_and_is_no_fault(opening: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    with opening() as opened:
        monkeypatch.setattr(service, "HostedStrategy", partial(PanicsOnce, check_policy=False))
        opened.store.strategies.insert(version="v002", hash=source_hash(GOOD), parent="v001", hypothesis="", source=GOOD)
        opened.store.strategies.activate("v002", START)
        opened.shell.start(START)
        go(opened, 3)
        assert (PanicsOnce.left, PanicsOnce.asked) == (0, 4)
        assert [scan.fault for scan in opened.store.scans.list("main")] == ["", "", ""]
        assert opened.shell.engine.faults_in_row == 0


# --- the wall itself --------------------------------------------------------------------------------------------------


def test_an_incomplete_wall_is_told_on_paper_and_refuses_live_mode(opening: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    with opening() as opened:
        measured = opened.store.facts.get(service.ISOLATION_FACT)
        assert measured == start_up.measured_isolation(opened.settings.host)
        leaky = {**measured, "seccomp": False, "probes": {**measured["probes"], "socket": "allowed"}}
        monkeypatch.setattr(start_up, "measured_isolation", lambda config: leaky)
        assert any(sentence.startswith("paper only: ") and "socket" in sentence for sentence in opened.shell.start(START))
        assert [each.kind for each in opened.store.outbox.list()].count("isolation") >= 1
        facts = standing_of(opened.home, opened.store)
        assert facts["isolation"]["probes"]["socket"] == "allowed"
        assert "socket" in facts["isolation_gap"]
        opened.shell.config = opened.settings.model_copy(update={"mode": "live"})
        with pytest.raises(NotNow, match="live mode is refused: .*socket"):
            opened.shell.start(START)


def test_status_and_the_list_show_scan_times_the_wall_and_the_quarantine(
    opening: Opening, capsys: pytest.CaptureFixture[str]
) -> None:
    with opening(CAUGHT_AT_2) as opened:
        assert standing_of(opened.home, opened.store)["scan_ms"] is None
        go(opened, 4)
        times = standing_of(opened.home, opened.store)["scan_ms"]
        assert times["count"] == 3
        assert 0 < times["median"] <= times["p95"]
        home = opened.home.root
        console_for(False).print(_view({**standing_of(opened.home, opened.store), "isolation_gap": "a hole"}))
    text = " ".join(capsys.readouterr().out.split())
    assert re.search(r"IN QUARANTINE since 2026-03-02 05:10 UTC: v002 \(\w{16}\): the strategy tried", text)
    assert re.search(r"median [\d.]+ ms, 95th percentile [\d.]+ ms \(3 scans\)", text)
    assert "THE WALL AROUND STRATEGIES IS INCOMPLETE, paper only: a hole" in text
    status = brain("status", "--home", str(home), "--json")
    assert [row["name"] for row in status["quarantine"]] == ["v002"]
    assert status["scan_ms"]["count"] == 3
    assert status["strategy"]["version"] == "v001"
    assert set(status["isolation"]) >= {"seccomp", "landlock_abi", "probes"}
    listed = brain("strategy", "list", "--home", str(home), "--json")
    assert {row["version"]: row["state"] for row in listed["versions"]}["v002"] == "quarantined"
    assert listed["quarantine"][0]["hash"] == source_hash(CAUGHT_AT_2)


def test_a_person_cannot_hand_in_code_in_quarantine(opening: Opening, project: Path) -> None:
    file = project / "strategy" / "archive" / "strategy_v000.py"
    with opening() as opened:
        opened.store.strategies.quarantine(source_hash(opened.shell.workspace.read(file)), "v004", "it tried a socket", START)
        home = str(opened.home.root)
    command = [sys.executable, "-m", "deployments.cli.main", "strategy", "submit", str(file), "--home", home, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    told = json.loads(done.stdout.splitlines()[-1])["error"]
    assert "is in quarantine and never runs again: v004 was caught at 2026-03-02 05:00 UTC: it tried a socket" in told


def brain(*arguments: str) -> dict[str, object]:
    command = [sys.executable, "-m", "deployments.cli.main", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    facts = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(facts, dict)
    return facts


def test_marking_twice_tells_once(opening: Opening) -> None:
    with opening() as opened:
        store, trials = opened.store, opened.shell.trials
        assert quarantine_module.mark(store, trials, source_hash(GOOD), "v009", "caught", START)
        assert not quarantine_module.mark(store, trials, source_hash(GOOD), "c0001", "again", START)
