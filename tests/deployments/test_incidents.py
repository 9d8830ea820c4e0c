"""A month in the life: what goes wrong is told, with what to do, and a day on which nothing goes wrong is nearly silent.

The whole of it, thirty days with their nights and a person with a phone and a browser, runs in `make faults`.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from deployments.fallen_market import CRASH_BARS, SLUMP_LEFT, fallen
from deployments.incidents import (
    BUDGET_SPENT,
    CRASH,
    MAINTENANCE,
    MONTH,
    NO_PRICE,
    OUTAGE,
    PROVIDER_DOWN,
    QUIET_DAY_MOST,
    SLUMP,
    Incident,
    Misfortune,
    script_of,
    told_of,
)
from deployments.rehearsal import Options, rehearse
from deployments.transcript import Said, transcript_of
from shell.clock import local_day
from shell.desk import Desk
from shell.errors import UsageError
from shell.market.history import History
from shell.market.synthetic import synthetic_market
from shell.store.outbox import Notification
from tasks.ai.connect import access_from
from tests.deployments.month_operator import Person
from tests.deployments.nights_without_flows import live_night
from tests.deployments.test_rehearsal_venue import BTC, START, Day, day
from tests.shell.scripted import candles, flat
from tests.shell.telegram.bot_server import BotServer, serving
from tests.thorough import THOROUGH

UTC_ZONE = ZoneInfo("UTC")
NEW_YORK = ZoneInfo("America/New_York")


def message(kind: str, at: datetime, severity: str = "info", action: str = "") -> Notification:
    return Notification(id=1, kind=kind, severity=severity, text=f"of {kind}", at=at, action=action)


def test_a_message_that_never_came_an_alarm_without_an_action_and_a_chatty_day_are_found() -> None:
    noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    outage = Incident(name=OUTAGE, begins=noon, ends=noon + timedelta(hours=2), tells=("link",))
    quiet = noon + timedelta(days=4)
    told = [message("stale", noon, "warning"), message("unheard", noon, "warning"), *[message("night", quiet)] * 3]
    judged = told_of([outage], told, UTC_ZONE, date(2026, 3, 1), date(2026, 3, 20))
    assert judged["missing"] == ["outage: no message of kind link within a day"]
    assert judged["without_action"] == ["of unheard"]
    assert (judged["quiet_days"], judged["quiet_day_most"], judged["alarms"]) == (1, 3, 2)
    better = told_of([outage], [message("link", noon, "warning")], UTC_ZONE, date(2026, 3, 1), date(2026, 3, 20))
    assert (better["missing"], better["without_action"]) == ([], [])


def test_a_flash_crash_lies_where_the_script_says_and_leaves_the_rest_of_the_market_alone() -> None:
    history = History(m5={BTC: candles(flat(100.0, 40), start=START)})
    begins = START + timedelta(minutes=50)
    bars = fallen(history, [Incident(name=CRASH, begins=begins, ends=begins)]).m5[BTC]
    lows = bars["low"].to_list()
    assert lows[10] == pytest.approx(60.0) and min(lows[:10] + lows[10 + CRASH_BARS :]) == 100.0
    assert bars["close"].to_list()[9 + CRASH_BARS] == pytest.approx(100.0)
    assert_bars_hold_together(bars)


def test_a_slump_falls_straight_between_its_ends_and_stays() -> None:
    history = History(m5={BTC: candles(flat(100.0, 40), start=START)})
    begins = START + timedelta(minutes=50)
    bars = fallen(history, [Incident(name=SLUMP, begins=begins, ends=begins + timedelta(minutes=50))]).m5[BTC]
    closes = bars["close"].to_list()
    assert closes[9] == 100.0 and closes[14] == pytest.approx(100 * (1 + SLUMP_LEFT) / 2)
    assert closes[19:] == pytest.approx([100 * SLUMP_LEFT] * 21)
    assert bars["open"].to_list()[11:20] == pytest.approx(closes[10:19])
    assert_bars_hold_together(bars)


def assert_bars_hold_together(bars: pl.DataFrame) -> None:
    for opened, high, low, closed in bars.select("open", "high", "low", "close").iter_rows():
        assert low <= min(opened, closed) and high >= max(opened, closed)


def test_a_transcript_tells_each_day_in_its_order_and_says_what_to_do_where_something_is_to_be_done() -> None:
    noon = datetime(2026, 3, 4, 17, tzinfo=UTC)
    outage = Incident(name=OUTAGE, begins=noon, ends=noon + timedelta(hours=2), story="The network is down.")
    told = [
        message("link", noon + timedelta(minutes=5), "warning", "/health shows every link"),
        message("night", noon + timedelta(hours=14), action="/night says why"),
    ]
    said = [Said(at=noon + timedelta(hours=11), lines=("/health: all is well",))]
    text = transcript_of([outage], told, said, NEW_YORK, 7)
    assert text.split("\n\n", 2)[2] == (
        "## Wednesday, 4 March 2026\n\n"
        "- 12:00 *The network is down.*\n"
        "- 12:05 **warning**: of link -> /health shows every link\n"
        "- 23:00 Operator: /health: all is well\n\n"
        "## Thursday, 5 March 2026\n\n"
        "- 02:00 of night\n"
    )


def test_a_rehearsal_that_is_too_short_for_its_incidents_is_refused() -> None:
    with pytest.raises(UsageError, match="needs 11 days"):
        script_of(START, 10)
    for days in (11, MONTH, 90):
        script = script_of(START, days)
        assert all(one.ends <= two.begins for one, two in pairwise(script)), script
        assert script[-1].ends <= START + timedelta(days=days - 1)


@pytest.mark.parametrize(("name", "told"), [(BUDGET_SPENT, "for models is spent"), (NO_PRICE, "the price of model")])
def test_money_for_models_that_is_gone_and_a_model_without_a_price_are_told_once(tmp_path: Path, name: str, told: str) -> None:
    with day(tmp_path) as it:
        spent = Incident(name=name, begins=START + timedelta(minutes=10), ends=START + timedelta(hours=1), tells=("budget",))
        suffer(it, Misfortune([spent], it.shell, it.exchange), 4)
        [found] = [each for each in it.opened.store.outbox.list() if each.kind == "budget"]
        assert told in found.text and found.severity == "warning" and found.action


def test_a_provider_that_is_overloaded_is_asked_once_a_night_and_told_and_the_night_goes_on(tmp_path: Path) -> None:
    with day(tmp_path) as it:
        hours = timedelta(hours=1)
        down = Incident(name=PROVIDER_DOWN, begins=START, ends=START + hours, tells=("models",))
        misfortune, desk = Misfortune([down], it.shell, it.exchange), Desk(it.shell)
        it.pass_bars()
        with misfortune.night(START, desk) as provider:
            record = live_night(desk, it.now, 7, provider)
        assert "anthropic answered 529: overloaded_error, 'Overloaded (an incident" in record.decision.unheard
        [told] = [each for each in it.opened.store.outbox.list() if each.kind == "models"]
        assert told.severity == "warning" and record.decision.unheard in told.text
        with misfortune.night(START + hours, desk) as provider:
            assert provider == "" and access_from({}).anthropic_key is None
            assert live_night(desk, it.now, 7, provider).decision.unheard == ""


def suffer(it: Day, misfortune: Misfortune, bars: int) -> None:
    for _ in range(bars):
        misfortune.strike(it.now)
        it.pass_bars()
        misfortune.watched(it.now)


@pytest.mark.parametrize("name", [OUTAGE, MAINTENANCE])
def test_a_link_that_is_gone_is_told_and_so_is_its_return_and_the_books_are_equal(tmp_path: Path, name: str) -> None:
    with day(tmp_path) as it:
        it.sign(stop_loss=29_000.0)
        begins = START + timedelta(minutes=10)
        outage = Incident(name=name, begins=begins, ends=begins + timedelta(minutes=20), tells=("link",))
        suffer(it, Misfortune([outage], it.shell, it.exchange), 12)
        told = [(each.severity, each.text) for each in it.opened.store.outbox.list() if each.kind == "link"]
        assert [severity for severity, _ in told] == ["warning", "info"], told
        assert "is there again" in told[1][1]
        compared = it.exchange.compare(it.shell, it.opened.store)
        assert compared.equal, compared.sentence


@pytest.mark.prefect
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [pytest.param(7, marks=THOROUGH)])
def test_in_a_month_no_alarm_lacks_an_action_none_is_missing_and_quiet_days_are_quiet(tmp_path: Path, seed: int) -> None:
    """Thirty days with every incident once, a losing strategy that is rolled back by itself, and quiet days between them."""
    folder, begins = tmp_path / "data", datetime(2023, 3, 29, tzinfo=UTC)
    folder.mkdir()
    for symbol, frame in synthetic_market(3, ["BTC/USD", "ETH/USD"], begins - timedelta(days=12), 12 + MONTH).m5.items():
        frame.write_parquet(folder / f"{symbol.replace('/', '-')}_5m.parquet")
    [slump] = [each for each in script_of(begins, MONTH) if each.name == SLUMP]
    bot = BotServer()
    with serving(bot) as url:
        person = Person(bot, url, reckless_on=local_day(slump.begins, NEW_YORK) - timedelta(days=1))
        try:
            facts = rehearse(
                Options(
                    days=MONTH, data=folder, start="2023-03-29", seed=seed, out=tmp_path / "home", incidents=True,
                    operator=person.look,
                ),
                lambda _: None,
            )
        finally:
            person.leave()
    told = facts["told"]
    transcript = Path(told["transcript"]).read_text(encoding="utf-8")
    assert (told["missing"], told["without_action"]) == ([], []), transcript
    assert told["quiet_days"] >= 3 and told["quiet_day_most"] <= QUIET_DAY_MOST, transcript
    assert facts["exchange_check"]["equal"], facts["exchange_check"]["differences"]
    assert facts["books_check"] == []
    assert [each["text"] for each in told["messages"] if each["kind"] == "parity"] == [], transcript
    # The losing strategy was active and is not any more; the loss was stopped, and a person allowed openings again.
    rollbacks = [each for each in told["messages"] if each["kind"] == "rollback"]
    assert len(rollbacks) == 1 and slump.begins.isoformat() < rollbacks[0]["at"] < slump.ends.isoformat(), transcript
    assert "rolled back from v002 to v001: the day's loss reached" in rollbacks[0]["text"]
    assert "DAILY_LOSS" in person.lifted
    # The page was read on each day, and told of the halt and of the money as the shell did.
    assert len(person.pages) == facts["nights"] and any(
        each["kind"] == "DAILY_LOSS" for view in person.pages for each in view["halted"]
    )
    seen = "\n".join(bot.texts())
    for kind in ("link", "fallback", "flow", "models", "budget", "rollback", "halt"):
        texts = [each["text"] for each in told["messages"] if each["kind"] == kind]
        assert texts and all(text[:40] in seen for text in texts), (kind, texts, json.dumps(told["messages"], indent=1))
