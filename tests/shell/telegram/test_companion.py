"""The bot end to end over the stand-in: commands, confirmations, delivery, and that trouble stays the bot's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deployments.opening import OpenHome
from shell.calls import Calls
from shell.companion import LinkHealth
from shell.desk import Desk
from shell.errors import NotNow
from shell.risk.halts import HaltKind
from tests.shell.telegram.bot_server import OWNER, BotServer
from tests.shell.telegram.kit import buy, cleared, companion, opened_home, step, talking


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenHome]:
    """A shell of this file's own: its tests tell one story, from the first trade on."""
    with opened_home(tmp_path_factory.mktemp("companion") / "home", orchestrator__approval="ask") as held:
        yield cleared(held)


def test_the_online_message_waits_for_the_bot_and_every_read_answers(opened: OpenHome) -> None:
    bot = BotServer()
    buy(opened)
    opened.shell.notices.delivered_elsewhere = True
    opened.shell.notices.online(opened.shell.status(), opened.shell.now)
    links = (LinkHealth(name="Kraken", ok=False, sentence="silent for 40 s: nothing to do, it is called again"),)
    with talking(opened, bot, links=lambda: links):
        assert "1 positions" in bot.expect(r"System online, 1 positions, [\d,.]+ USD portfolio")
        told = bot.ask("/status", "Paper: trading")
        assert re.search(r"Value +[\d,]+\.\d\d USD", told)
        assert "Kraken: silent for 40 s" in told
        assert "✓ Trading thread: answers" in bot.ask("/health", "Health")
        assert re.search(r"<b>BTC/USD</b>\n<pre>Held +0\.\d+\nEntry", bot.ask("/positions", "Held"))
        assert "Positions        1 of 5" in bot.ask("/risk", "Risk")
        assert "v001" in bot.ask("/strategy", "since")
        bot.ask("/candidates", "No candidate has been tried|it trends")
        bot.ask("/night 2026-03-02", "No night 2026-03-02 is recorded")
        assert re.search(r"Models</b>\n<pre>Provider +local\n[\d-]{7} +\$0\.00 of \$45\.00", bot.ask("/costs", "Fees so far"))
        bot.ask("/trades", "No trade has been closed yet")
        assert "/close SYMBOL" in bot.ask("/help@brain_test_bot", "Trading Brain")
        bot.ask("/stauts", r"did you mean /status\?")
        bot.ask("hello", "/help lists them")
        bot.ask("/performance", "Deepest fall")
        assert bot.wait_for(lambda: any(each["method"] == "sendPhoto" for each in bot.sent))
    assert all(len(line) <= 40 for text in bot.texts() for block in re.findall(r"<pre>(.*?)</pre>", text, re.S)
               for line in block.split("\n")), "a line of figures is too wide for a phone"


def test_destructive_commands_happen_only_after_their_code_and_once(opened: OpenHome) -> None:
    bot, engine = BotServer(), opened.shell.engine
    with talking(opened, bot):
        bot.ask("/pause", "Done: openings are paused")
        assert HaltKind.OPERATOR_PAUSE in engine.halts
        bot.expect("Openings are paused: asked for by Ann .Telegram 1001.")
        bot.ask("/pause", "No</b>: openings are paused already")
        bot.ask("/resume", "Lift OPERATOR_PAUSE")
        yes, no = bot.buttons()
        assert HaltKind.OPERATOR_PAUSE in engine.halts
        before = len(bot.texts())
        bot.press(no)
        bot.expect("Nothing was done", after=before)
        bot.press(yes)
        bot.expect("not valid", after=before)
        bot.ask("/resume OPERATOR_PAUSE", "Lift")
        bot.press(bot.buttons()[0])
        bot.expect("OPERATOR_PAUSE is lifted; openings may leave", after=before)
        assert not engine.halts
        code = re.search(r"/yes (\d{6})", bot.ask("/kill the market is mad", "Stop all openings"))
        assert code is not None
        bot.ask(f"/yes {code[1]}", "KILLED")
        assert HaltKind.KILL_SWITCH in engine.halts
        bot.ask(f"/yes {code[1]}", "not valid")
        bot.expect("Critical</b>: Openings are halted: KILL_SWITCH: asked for by Ann .Telegram 1001.: the market is mad")
        bot.ask("/status", "Paper: KILLED")
        bot.ask("/resume KILL_SWITCH", "Lift")
        bot.press(bot.buttons()[0])
        bot.expect("KILL_SWITCH is lifted")
        bot.ask("/close doge", "held are BTC/USD")
        bot.ask("/close btc", "Sell all of BTC/USD")
        bot.press(bot.buttons()[0])
        bot.expect("on its way: sell 0.")
    step(opened)
    assert not engine.ledger.positions
    (sold,) = [each for each in opened.store.scans.answers("main") if "hand:" in each.signal_id]
    assert (sold.approved, sold.reasoning) == (True, f"asked for by Ann (Telegram {OWNER})")


def test_after_the_sale_its_result_is_told_and_the_trade_is_drawn(opened: OpenHome) -> None:
    bot = BotServer()
    with talking(opened, bot):
        bot.expect(r"Closed BTC/USD as decided: [+−]\d+\.\d\d USD")
        assert "1 trade" in bot.ask("/trades", "Closed trades")
        assert bot.wait_for(lambda: any(each["method"] == "sendPhoto" for each in bot.sent))
        bot.ask("/positions", "Nothing is held")
        bot.ask("/close btc", "nothing is held")
        assert bot.wait_for(lambda: opened.store.outbox.waiting() == 0)
    assert {each.channel for each in opened.store.outbox.list()} <= {"telegram", "log", "farewell"}


def test_what_changes_nothing_says_so_and_requests_are_left_for_the_conductor(opened: OpenHome) -> None:
    bot = BotServer()
    with talking(opened, bot):
        bot.ask("/rollback", "Go back to the version before")
        bot.press(bot.buttons()[0])
        bot.expect("v000 is active again, in place of v001")
        bot.ask("/rollback", "Go back")
        bot.press(bot.buttons()[0])
        bot.expect("No</b>: v000 is active already")
        bot.ask("/orchestrate", "asked for; the conductor takes it up")
        bot.ask("/approve", "which one")
        bot.ask("/approve c0099", "there is no candidate c0099")
        bot.ask("/report", "no report can be written here")
    hand, now = Desk(opened.shell).by_hand, datetime.now(UTC)
    assert hand.take_request("orchestrate", now).startswith("Ann")
    assert hand.take_request("orchestrate", now) == ""


def test_the_report_is_sent_as_a_file(opened: OpenHome, tmp_path: Path) -> None:
    bot, file = BotServer(), tmp_path / "report.html"
    file.write_text("<html>all of it</html>")
    with talking(opened, bot, report=lambda: file):
        bot.say("/report")
        assert bot.wait_for(lambda: any(each["method"] == "sendDocument" for each in bot.sent))
    (sent,) = [each for each in bot.sent if each["method"] == "sendDocument"]
    assert sent["filename"] == "report.html"
    assert any(file.read_bytes() in body for body in bot.bodies)


def test_a_bot_nobody_may_command_is_refused_with_what_to_do(opened: OpenHome) -> None:
    bare = companion(opened, "http://127.0.0.1:9", owners=())
    with pytest.raises(NotNow, match="owner_ids names nobody"):
        bare.start(Calls())
    bare.stop()
