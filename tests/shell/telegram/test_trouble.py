"""Telegram fails in every way it can, and trading, messages and answers bear it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event

import pytest

from deployments.opening import OpenHome
from shell.notices.kinds import Severity
from shell.risk.halts import HaltKind
from tests.shell.telegram.bot_server import OWNER, BotServer
from tests.shell.telegram.kit import talking

HOUR_AGO = timedelta(hours=1)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience in hundredths, so that a test of it ends."""
    monkeypatch.setattr("shell.telegram.companion.BACKOFF_FIRST_SECONDS", 0.02)
    monkeypatch.setattr("shell.telegram.companion.BACKOFF_MAX_SECONDS", 0.2)
    monkeypatch.setattr("shell.telegram.companion.DELIVERY_SECONDS", 0.05)


def tell(opened: OpenHome, text: str, kind: str = "system", severity: str = Severity.INFO.value) -> None:
    opened.shell.notices.delivered_elsewhere = True
    opened.shell.notify(kind, severity, text, datetime.now(UTC))


def test_the_backlog_of_an_outage_is_left_behind_and_late_commands_do_nothing(opened: OpenHome) -> None:
    bot = BotServer()
    for _ in range(50):
        bot.say("/pause", at=datetime.now(UTC) - HOUR_AGO)
    with talking(opened, bot) as (telegram, _):
        bot.ask("/status", "Paper: trading")
        before = len(bot.texts())
        bot.say("/pause", at=datetime.now(UTC) - HOUR_AGO)
        bot.expect("1 of your messages came more than 30 s late and nothing was done", after=before)
        bot.ask("/status", "Paper: trading")
        assert telegram.counted["left behind at the start"] == 1
        assert telegram.ignored["late"] == 1
    assert not opened.shell.engine.halts


def test_a_second_instance_is_told_of_and_survived(opened: OpenHome) -> None:
    bot = BotServer()
    with talking(opened, bot) as (telegram, _):
        bot.fail("getUpdates", 409, "Conflict: terminated by other getUpdates request", times=3)
        bot.say("/help")
        assert bot.wait_for(lambda: "another program fetches messages with the same token" in telegram.health().sentence)
        assert not telegram.health().ok


def test_errors_and_rate_limits_are_waited_out_and_nothing_is_lost_or_out_of_order(opened: OpenHome) -> None:
    bot = BotServer()
    for method, status in (("getMe", 502), ("getUpdates", 500), ("sendMessage", 503)):
        bot.fail(method, status, times=3)
    bot.fail("sendMessage", 429, "Too Many Requests: retry after 1", retry_after=1)
    for number in range(3):
        tell(opened, f"message {number}")
    with talking(opened, bot) as (telegram, _):
        bot.expect("message 2")
        assert bot.wait_for(lambda: opened.store.outbox.waiting() == 0)
        bot.ask("/status", "Paper")
        assert telegram.health().ok, telegram.health()
    told = [text for text in bot.texts() if text.startswith("message")]
    assert [text.split("\n")[0] for text in told] == ["message 0", "message 1", "message 2"]
    assert bot.calls["sendMessage"] >= 7


def test_a_token_that_is_not_known_is_explained_without_being_shown(opened: OpenHome) -> None:
    bot = BotServer()
    bot.fail("getMe", 401, "Unauthorized", times=100)
    with talking(opened, bot, connected=False) as (telegram, _):
        assert bot.wait_for(lambda: "check TELEGRAM_BOT_TOKEN" in telegram.health().sentence)
        assert "canary" not in telegram.health().sentence


def test_an_owner_who_blocked_the_bot_is_named_and_the_others_are_told(opened: OpenHome) -> None:
    bot = BotServer()
    bot.blocked.add(1002)
    tell(opened, "for everybody")
    with talking(opened, bot, owners=(OWNER, 1002)) as (telegram, _):
        bot.expect("for everybody")
        assert bot.wait_for(lambda: opened.store.outbox.waiting() == 0)
        assert "1002 cannot be reached: that person has to open a chat" in telegram.health().sentence


def test_while_telegram_hangs_the_desk_answers_and_the_bot_stops_in_time(opened: OpenHome) -> None:
    bot = BotServer()
    with talking(opened, bot) as (telegram, calls):
        bot.hanging.set()
        tell(opened, "while it hangs")
        for _ in range(20):
            assert calls.ask(lambda desk: desk.status().mode, seconds=5) == "paper"
        begun = datetime.now(UTC)
        telegram.stop()
        assert datetime.now(UTC) - begun < timedelta(seconds=10)
        bot.hanging.clear()
    assert [each.text for each in opened.store.outbox.undelivered()] == ["while it hangs"]
    with talking(opened, BotServer()) as _:
        pass


def test_a_shell_that_does_not_answer_can_still_be_killed_and_read(opened: OpenHome) -> None:
    bot = BotServer()
    with talking(opened, bot, trading=False):
        assert "stored figures" in bot.ask("/status", "Paper", seconds=40)
        bot.ask("/kill", "Stop all openings")
        bot.press(bot.buttons()[0])
        bot.expect("lies in brain.kill and is heeded before its next step", seconds=40)
    assert opened.home.kill_file.read_text().startswith("asked for by Ann")
    opened.shell.heed_kill_request(opened.shell.now)
    assert HaltKind.KILL_SWITCH in opened.shell.engine.halts
    opened.shell.lift(HaltKind.KILL_SWITCH, "the test", opened.shell.now)


def test_what_was_sent_while_the_shell_was_busy_is_marked_later_and_not_sent_again(opened: OpenHome) -> None:
    bot, release = BotServer(), Event()
    with talking(opened, bot) as (_, calls):
        assert bot.wait_for(lambda: opened.store.outbox.waiting() == 0)
        with pytest.raises(Exception, match="did not finish"):
            calls.ask(lambda _: release.wait(20), seconds=0.05)
        tell(opened, "told while busy")
        bot.expect("told while busy")
        assert opened.store.outbox.waiting() == 1
        release.set()
        assert bot.wait_for(lambda: opened.store.outbox.waiting() == 0)
        bot.ask("/status", "Paper")
    assert sum("told while busy" in text for text in bot.texts()) == 1


def test_what_a_process_sent_before_it_could_say_so_is_sent_again_by_the_next(opened: OpenHome) -> None:
    bot, next_bot = BotServer(), BotServer()
    tell(opened, "once or twice, never not at all")
    with talking(opened, bot, trading=False):
        bot.expect("once or twice")
    assert opened.store.outbox.waiting() == 1
    with talking(opened, next_bot):
        next_bot.expect("once or twice")
        assert next_bot.wait_for(lambda: opened.store.outbox.waiting() == 0)


def test_a_request_that_nothing_takes_up_is_told_of_and_one_that_is_taken_is_not(
    opened: OpenHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = BotServer()
    monkeypatch.setattr("shell.telegram.conversation.TAKEN_UP_SECONDS", 0.2)
    with talking(opened, bot) as (_, calls):
        bot.ask("/orchestrate", "asked for; the conductor takes it up")
        bot.expect("Nothing has taken up your /orchestrate")
        monkeypatch.setattr("shell.telegram.conversation.TAKEN_UP_SECONDS", 1.5)
        before = len(bot.texts())
        bot.ask("/orchestrate", "asked for")
        assert calls.ask(lambda desk: desk.take_request("orchestrate", datetime.now(UTC))).startswith("Ann")
        bot.wait_for(lambda: False, 2.5)
        assert len(bot.texts()) == before + 1


def test_an_answer_that_breaks_is_told_and_the_bot_goes_on(opened: OpenHome, monkeypatch: pytest.MonkeyPatch) -> None:
    from shell.telegram import conversation

    bot = BotServer()
    monkeypatch.setitem(conversation.READS, "costs", lambda *_: 1 / 0)
    with talking(opened, bot) as (telegram, _):
        bot.ask("/costs", "That failed inside")
        bot.ask("/status", "Paper")
        assert telegram.counted["answers failed"] == 1


def test_updates_no_library_can_read_are_passed_over(opened: OpenHome) -> None:
    bot = BotServer()
    with talking(opened, bot) as (telegram, _):
        bot.put(message={"message_id": "x", "chat": 5})
        bot.put(message=[1])
        assert bot.wait_for(lambda: telegram.counted["unreadable"] >= 1)
        bot.ask("/status", "Paper")


def test_the_shell_says_goodbye_once(opened: OpenHome) -> None:
    bot = BotServer()
    with talking(opened, bot):
        pass
    assert bot.texts()[-1].startswith("System is stopping")
    opened.shell.notices.stopped(datetime.now(UTC))
    assert opened.store.outbox.newest(1)[0].channel == "farewell"
    opened.shell.notices.farewell_told = False
