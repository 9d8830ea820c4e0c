"""Messages of a real shell: each once, after a crash too, and delivered by the log where there is no other channel."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from shell.config import Settings
from shell.execution.record import ScanDone, StepRecord
from shell.money import QuoteAmount
from shell.notices.notices import Notices
from shell.risk.halts import Halt, HaltKind
from shell.store.store import Store
from tests.shell.store.examples import START, answer, minutes

SETTINGS = Settings()


@pytest.fixture
def store(tmp_path: Path):
    with Store.open(tmp_path / "brain.db") as opened:
        yield opened


def notices(store: Store, **telegram) -> Notices:
    settings = SETTINGS.model_copy(update={"telegram": SETTINGS.telegram.model_copy(update=telegram)})
    return Notices(store, settings, "main")


def texts(store: Store, kind: str) -> list[str]:
    return [each.text for each in store.outbox.list() if each.kind == kind]


def halt(store: Store, kind: HaltKind = HaltKind.DRAWDOWN, book: str = "main") -> None:
    store.halts.raise_(Halt(kind=kind, book=book, sentence="too deep", raised_at=START))


def test_a_new_home_tells_nothing_of_its_past_and_everything_after(store: Store) -> None:
    halt(store)
    one = notices(store)
    one.catch_up(START)
    halt(store, HaltKind.DAILY_LOSS)
    halt(store, HaltKind.DAILY_LOSS, book="trial:t0001")
    one.catch_up(START)
    one.catch_up(START)
    assert texts(store, "halt") == ["Openings are halted: DAILY_LOSS: too deep"]


def test_what_a_crash_kept_from_being_told_is_told_at_the_next_start_and_once(store: Store) -> None:
    notices(store).catch_up(START)
    halt(store)  # the process dies before it tells
    for _ in range(2):
        notices(store).catch_up(START)
    assert len(texts(store, "halt")) == 1


def test_a_crash_while_telling_loses_and_repeats_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    one = notices(store)
    one.catch_up(START)
    halt(store)
    real = store.facts.set

    def dies(*_: object) -> None:
        raise OSError("power is gone")

    monkeypatch.setattr(store.facts, "set", dies)
    with pytest.raises(OSError, match="power"):
        one.catch_up(START)
    assert texts(store, "halt") == []
    monkeypatch.setattr(store.facts, "set", real)
    one.catch_up(START)
    assert len(texts(store, "halt")) == 1


def test_without_another_channel_the_log_delivers_and_with_one_messages_wait(store: Store) -> None:
    one = notices(store)
    one.notify("system", "info", "first", START)
    assert [each.channel for each in store.outbox.list()] == ["log"]
    one.delivered_elsewhere = True
    one.notify("system", "info", "second", START)
    assert [each.text for each in store.outbox.undelivered()] == ["second"]
    assert store.outbox.list()[1].action == "/status shows more"


def test_one_key_is_told_once_a_day(store: Store) -> None:
    one = notices(store)
    for hours in (0, 1, 23, 25):
        one.notify("reconciliation", "warning", "differs", START + timedelta(hours=hours), key="reconciliation:BTC")
    assert [each.at for each in store.outbox.list()] == [START, START + timedelta(hours=25)]


def scanned(number: int, origin: str, refused: int = 0) -> StepRecord:
    at = minutes(5 * number)
    answers = [
        type(each)(**{**{name: getattr(each, name) for name in each.__slots__}, "approved": False, "code": "MAX_POSITIONS",
                      "sentence": "5 are held already"})
        for each in (answer(number) for _ in range(refused))
    ]
    return StepRecord(
        book="main", at=at, scan=ScanDone(slot=at, origin=origin, version="v001", signals=refused, approved=0), answers=answers
    )


def test_scans_of_its_own_are_told_once_when_a_conductor_went_missing_and_its_return_too(store: Store) -> None:
    one = notices(store)
    origins = ["fallback"] * 5 + ["requested"] + ["fallback"] * 6 + ["requested"] * 2
    for number, origin in enumerate(origins):
        one.of_step(scanned(number, origin), minutes(5 * number))
    assert texts(store, "fallback") == [
        "Nothing asked for the last 3 scans; the shell made them on its own and goes on",
        "Scans are asked for again, after 6 scans of the shell's own",
    ]


def test_refusals_are_told_above_their_rate_and_not_below(store: Store) -> None:
    one = notices(store, refusals_per_hour=10)
    for number in range(30):
        one.of_step(scanned(number, "fallback", refused=1 if number % 2 else 0), minutes(5 * number))
    assert texts(store, "refusals") == []
    one.of_step(scanned(31, "fallback", refused=8), minutes(155))
    (told,) = texts(store, "refusals")
    assert told.endswith("of them MAX_POSITIONS: 5 are held already")


def test_a_day_is_told_once_and_on_a_sunday_with_its_week(store: Store) -> None:
    one = notices(store)
    first = date(2026, 3, 2)  # a Monday
    for number in range(8):
        day, pnl = first + timedelta(days=number), "-50" if number == 2 else "100"
        at = datetime(2026, 3, 3, 4, 55, tzinfo=UTC) + timedelta(days=number)
        facts = {"equity": QuoteAmount("10400"), "cash": QuoteAmount(0), "day_pnl": QuoteAmount(pnl), "fees": QuoteAmount(1)}
        store.snapshots.record(day=day, at=at, positions=[], **facts)
        for _ in range(2):
            one.of_day({"day": day.isoformat(), "equity": "10400", "day_pnl": pnl}, at)
    assert texts(store, "daily")[2] == "Day 2026-03-04: −50.00 USD (−0.48\u00a0%), value 10,400.00 USD"
    assert len(texts(store, "daily")) == 7
    assert texts(store, "weekly") == [
        "Day 2026-03-08: +100.00 USD (+0.97\u00a0%), value 10,400.00 USD. Week: +550.00 USD (+5.58\u00a0%), value 10,400.00 USD; "
        "best day +100.00, worst −50.00"
    ]
