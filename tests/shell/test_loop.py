"""The trading loop, one turn at a time: slots, grace, sleep, kill, faults of its parts, and what lives beside it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import pytest

from deployments.standing import standing_of
from shell.beside import Beginnings
from shell.calls import Calls
from shell.clock import SystemClock
from shell.companion import LinkHealth
from shell.config import LoopConfig
from shell.contract import Action, OrderType, Signal
from shell.errors import Fatal, NotNow, Rejected
from shell.loop import TradingLoop
from shell.main_book import LIVE_FACT, MAIN_BOOK
from shell.risk.halts import HaltKind
from tests.shell.live_kit import BTC, ETH, START, STEP, LiveShell, live_shell
from tests.shell.scripted import ScriptedHost

SECOND = timedelta(seconds=1)
BUY = Signal(symbol=BTC, action=Action.BUY, size_pct=0.05, order_type=OrderType.MARKET, stop_loss=95.0)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveShell]:
    with live_shell(tmp_path, monkeypatch, ScriptedHost({0: [BUY]})) as made:
        yield made


def scanned(scene: LiveShell) -> list[int]:
    """Numbers of the slots that were scanned."""
    rows = scene.store.scans.list(MAIN_BOOK, since=START)
    return [round((row.slot - START) / STEP) for row in rows]


def test_a_slot_is_scanned_once_its_bars_are_in_at_the_moment_of_the_slot_itself(scene: LiveShell) -> None:
    loop = scene.loop()
    loop.turn(START + 290 * SECOND)
    loop.turn(START + STEP + 1 * SECOND)
    assert scanned(scene) == []
    scene.bars(0)
    loop.turn(START + STEP + 2 * SECOND)
    loop.turn(START + STEP + 3 * SECOND)
    assert scanned(scene) == [1]
    assert scene.host.requests[0].now == START + STEP
    assert (loop.counts.done, loop.counts.missed, loop.counts.incomplete) == (1, 0, 0)


def test_a_slot_whose_bars_never_come_is_scanned_when_the_grace_is_over(scene: LiveShell) -> None:
    loop = scene.loop()
    loop.turn(START)
    loop.turn(START + STEP + 7 * SECOND)
    assert scanned(scene) == []
    loop.turn(START + STEP + 8 * SECOND)
    assert scanned(scene) == [1]
    assert loop.counts.incomplete == 1


def test_registered_slots_are_told_from_those_nobody_asked_for(scene: LiveShell) -> None:
    loop = scene.loop()
    loop.turn(START)
    scene.shell.slots.register(START + STEP)
    for number in (0, 1):
        scene.bars(number)
        loop.turn(START + (number + 1) * STEP + 2 * SECOND)
    assert [row.origin for row in scene.store.scans.list(MAIN_BOOK, since=START)] == ["requested", "fallback"]


def test_after_a_sleep_old_slots_are_left_out_and_told_and_a_late_one_is_not_scanned(scene: LiveShell) -> None:
    loop = scene.loop()
    loop.turn(START)
    for number in range(7):
        scene.bars(number)
    loop.turn(START + 7 * STEP + 3 * 60 * SECOND)
    assert scanned(scene) == []
    assert loop.counts.missed == 7
    assert "slots" in scene.kinds()
    scene.bars(7)
    loop.turn(START + 8 * STEP + 3 * SECOND)
    assert scanned(scene) == [8]


def test_a_stop_is_left_between_slots_at_the_price_that_reaches_it(scene: LiveShell) -> None:
    loop = scene.loop()
    loop.turn(START)
    scene.bars(0)
    scene.price(BTC, 100.0, START + STEP)
    loop.turn(START + STEP + 2 * SECOND)
    scene.price(BTC, 100.0, START + STEP + 4 * SECOND)
    loop.turn(START + STEP + 5 * SECOND)
    assert list(scene.shell.engine.ledger.positions) == [BTC]
    assert scene.inbox.concerned == {BTC}
    scene.price(BTC, 94.0, START + STEP + 60 * SECOND)
    loop.turn(START + STEP + 61 * SECOND)
    assert list(scene.shell.engine.ledger.positions) == []
    assert [str(fill.price) for fill in scene.store.history.fills(MAIN_BOOK)] == ["100", "94"]
    assert scene.store.books.check(MAIN_BOOK) == []


def test_bars_that_come_late_are_walked_at_the_next_look_and_stored(scene: LiveShell) -> None:
    loop = scene.loop()
    loop.turn(START)
    scene.bars(0)
    loop.turn(START + STEP + 2 * SECOND)
    scene.price(BTC, 100.0, START + STEP + 4 * SECOND)
    loop.turn(START + STEP + 5 * SECOND)
    loop.turn(START + 2 * STEP + 9 * SECOND)
    scene.bars(1, 90.0)
    loop.turn(START + 2 * STEP + 40 * SECOND)
    assert list(scene.shell.engine.ledger.positions) == []
    assert scene.shell.trials.open() == []
    loop.turn(START + 2 * STEP + 75 * SECOND)
    newest = scene.shell._candles.last(BTC, scene.market.bars_since(0)[-1].tier)
    assert newest is not None
    assert newest.close == 90.0


def test_a_kill_note_is_heeded_within_a_turn_and_removed(scene: LiveShell) -> None:
    loop = scene.loop()
    scene.shell.home.kill_file.write_text("enough")
    loop.turn(START)
    assert HaltKind.KILL_SWITCH in scene.shell.engine.halts
    assert not scene.shell.home.kill_file.exists()


def test_an_exception_in_one_part_is_counted_and_shown_and_the_other_parts_go_on(
    scene: LiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = scene.loop()
    loop.turn(START)

    def fail(_now: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(scene.shell, "settle", fail)
    scene.bars(0)
    loop.turn(START + STEP + 31 * SECOND)
    assert scanned(scene) == [1]
    assert loop.errors.as_dict()["newest"]["venue"]["sentence"] == "planted"
    assert ("error", "venue: planted") in scene.said
    assert scene.store.facts.get(LIVE_FACT)["errors"]["count"] == 1
    assert scene.shell.engine.halts == {}


def test_a_broken_invariant_halts_openings_and_protection_goes_on(
    scene: LiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = scene.loop()
    loop.turn(START)
    scene.bars(0)
    loop.turn(START + STEP + 2 * SECOND)
    scene.price(BTC, 100.0, START + STEP + 4 * SECOND)
    loop.turn(START + STEP + 5 * SECOND)

    def fail(_now: object) -> None:
        raise Fatal("planted")

    monkeypatch.setattr(scene.shell, "settle", fail)
    for seconds in (6, 7):
        loop.turn(START + STEP + seconds * SECOND)
    assert list(scene.shell.engine.halts) == [HaltKind.BOOKS_DIFFER]
    assert [halt.kind for halt in scene.store.halts.active(MAIN_BOOK)] == [HaltKind.BOOKS_DIFFER]
    scene.price(BTC, 94.0, START + STEP + 60 * SECOND)
    loop.turn(START + STEP + 61 * SECOND)
    assert list(scene.shell.engine.ledger.positions) == []


def test_a_venue_that_contradicts_itself_each_round_halts_openings_for_good_and_is_told_once(
    scene: LiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = scene.loop()
    loop.turn(START)

    def contradict() -> list[object]:
        raise Fatal("order O1 is for 1, and 2 of it are said to be filled")

    monkeypatch.setattr(scene.shell.engine.gateway, "events", contradict)
    for seconds in range(2, 62):
        loop.turn(START + seconds * SECOND)
    assert [halt.kind for halt in scene.store.halts.active(MAIN_BOOK)] == [HaltKind.BOOKS_DIFFER], "the next process is halted, too"
    (told,) = [message for message in scene.store.outbox.list() if message.kind == "halt"]
    assert (told.severity, "2 of it are said to be filled" in told.text) == ("critical", True)
    assert loop.errors.newest["venue"]["count"] == 60
    assert len([each for each in scene.said if each[0] == "error" and each[1].startswith("venue")]) == 1
    assert len(scene.store.halts.history(MAIN_BOOK)) == 1


def test_while_the_clocks_differ_nothing_is_scanned_or_revealed(scene: LiveShell) -> None:
    loop = scene.loop()
    loop.turn(START)
    scene.link["lag_seconds"] = 3600.0
    scene.bars(0)
    cursor = scene.market.cursor
    loop.turn(START + STEP + 2 * SECOND)
    assert (scanned(scene), scene.market.cursor, loop.counts.missed) == ([], cursor, 1)
    scene.link["lag_seconds"] = 0.2
    scene.bars(1)
    loop.turn(START + 2 * STEP + 2 * SECOND)
    assert scanned(scene) == [2]


def test_a_position_whose_symbol_left_the_settings_stays_protected_by_its_prices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with live_shell(tmp_path, monkeypatch, ScriptedHost({0: [BUY]})) as first:
        loop = first.loop()
        loop.turn(START)
        first.bars(0)
        loop.turn(START + STEP + 2 * SECOND)
        first.price(BTC, 100.0, START + STEP + 4 * SECOND)
        loop.turn(START + STEP + 5 * SECOND)
        first.shell.shutdown(START + STEP + 6 * SECOND)
    with live_shell(tmp_path, monkeypatch, ScriptedHost(), symbols=(ETH,), watched=(BTC,)) as second:
        loop = second.loop()
        loop.turn(START + STEP + 60 * SECOND)
        assert second.inbox.concerned == {BTC}
        second.price(BTC, 94.0, START + STEP + 70 * SECOND)
        loop.turn(START + STEP + 71 * SECOND)
        assert list(second.shell.engine.ledger.positions) == []
        assert second.store.books.check(MAIN_BOOK) == []


def test_a_position_without_a_fresh_price_is_told_once(scene: LiveShell) -> None:
    loop = scene.loop()
    loop.turn(START)
    scene.bars(0)
    loop.turn(START + STEP + 2 * SECOND)
    scene.price(BTC, 100.0, START + STEP + 4 * SECOND)
    for seconds in range(5, 1500, 40):
        loop.turn(START + STEP + seconds * SECOND)
    assert scene.kinds().count("stale") == 1
    assert list(scene.shell.engine.ledger.positions) == [BTC]


def test_the_days_snapshot_is_taken_by_the_shell_when_nobody_asked(scene: LiveShell) -> None:
    loop = scene.loop()
    # 23:58 and 23:59:30 in New York.
    loop.turn(START.replace(hour=4, minute=58) + timedelta(days=1))
    assert scene.store.snapshots.list() == []
    for _ in range(2):
        loop.turn(START.replace(hour=4, minute=59, second=30) + timedelta(days=1))
    assert [taken.day.isoformat() for taken in scene.store.snapshots.list()] == ["2026-03-02"]


def test_a_request_for_a_scan_never_runs_one_ahead_of_the_loop(scene: LiveShell) -> None:
    loop = scene.loop()
    loop.turn(START)
    with pytest.raises(NotNow, match="has not been scanned"):
        scene.shell.scan(START + STEP)
    scene.bars(0)
    loop.turn(START + STEP + 2 * SECOND)
    assert scene.shell.scan(START + STEP).already_done or scene.shell.scan(START + STEP).signals == 1


def test_status_shows_what_the_loop_knows(scene: LiveShell) -> None:
    loop = scene.loop()
    loop.turn(START)
    scene.bars(0)
    scene.price(BTC, 100.0, START + STEP)
    loop.turn(START + STEP + 3 * SECOND)
    facts = standing_of(scene.shell.home, scene.store)["shell"]
    assert facts["running"]
    assert facts["live"]["price_age_s"] == {BTC: 3.0}
    assert facts["live"]["slots"] == {"done": 1, "missed": 0, "incomplete": 0}


class Beside:
    """A companion that may refuse to start and to stop, and one that starts when it is let."""

    def __init__(self, name: str, calls_made: list[str], *, broken: bool = False, waits: Event | None = None) -> None:
        self.name = name
        self._made = calls_made
        self._broken = broken
        self._waits = waits

    def start(self, calls: Calls) -> None:
        if self._waits is not None:
            assert self._waits.wait(30)
        self._made.append(f"{self.name} starts")
        if self._broken:
            raise Rejected("its port is taken")

    def stop(self) -> None:
        self._made.append(f"{self.name} stops")
        if self._broken:
            raise RuntimeError("planted")

    def health(self) -> LinkHealth:
        return LinkHealth(name=self.name, ok=not self._broken)


def test_a_run_starts_and_stops_in_order_and_a_companion_that_fails_ends_nothing(scene: LiveShell) -> None:
    made: list[str] = []
    loop = TradingLoop(
        scene.shell, scene.market, scene.inbox, scene.calls, SystemClock(), config=LoopConfig(),
        companions=(Beside("page", made), Beside("bot", made, broken=True)),
        tell=lambda _now, kind, sentence: scene.said.append((kind, sentence)),
    )
    answers: list[str] = []

    def ask() -> None:
        answers.append(scene.calls.ask(lambda desk: desk.status().mode, seconds=60))
        loop.stop()

    asking = Thread(target=ask)
    asking.start()
    loop.run()
    asking.join(10)
    assert answers == ["paper"]
    assert sorted(made[:2]) == ["bot starts", "page starts"]
    assert made[2:] == ["bot stops", "page stops"]
    assert ("beside", "bot is off: its port is taken") in scene.said
    assert ("error", "bot: planted") in scene.said
    told = [message.text for message in scene.store.outbox.list()]
    assert any(text.startswith("System online, 0 positions") for text in told)
    assert told[-1] == "System stopped; positions and their stops stay"
    with pytest.raises(NotNow, match="stopping"):
        scene.calls.ask(lambda desk: desk.status(), seconds=1)


def test_a_companion_that_is_slow_to_start_holds_up_no_other_and_no_round(scene: LiveShell) -> None:
    made: list[str] = []
    gate = Event()
    slow, quick = Beside("slow", made, waits=gate), Beside("quick", made)
    beginnings = Beginnings((slow, quick), scene.calls)
    beginnings.begin(seconds=0.2)
    assert [each.name for each in beginnings.news()] == ["quick"]
    gate.set()
    beginnings.join(10)
    assert [(each.name, each.error) for each in beginnings.news()] == [("slow", None)]
    assert made == ["quick starts", "slow starts"]


def test_the_companions_are_told_of_once_when_they_come_up_late(scene: LiveShell) -> None:
    gate = Event()
    loop = scene.loop(Beside("page", [], waits=gate))
    loop._beginnings.begin(seconds=0.01)
    loop.turn(START)
    gate.set()
    loop._beginnings.join(10)
    for seconds in (1, 2):
        loop.turn(START + seconds * SECOND)
    assert scene.said.count(("beside", "page is up")) == 1
