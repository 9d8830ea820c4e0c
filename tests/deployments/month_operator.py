"""A person who runs the system of a rehearsal: on the phone through a stand-in of Telegram, and on the page over HTTP.

Looks once a day, at its end, as people do; does what the messages say, and writes down what was asked and seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from threading import Thread
from typing import Any

import httpx

from deployments.opening import OpenHome
from shell.calls import Calls
from shell.clock import local_day
from shell.desk import Desk
from shell.host.port import StrategySource
from shell.notices.kinds import Severity
from shell.page.server import Page
from shell.risk.halts import HaltKind
from shell.secrets import Secret
from shell.telegram.companion import Telegram
from tests.shell.promotion import honest
from tests.shell.telegram.bot_server import OWNER, TOKEN, BotServer

PATIENCE_SECONDS = 120.0
# Buys a twentieth of each coin an hour until it holds a fifth, and keeps no stop: what a gate is there to refuse.
RECKLESS = """
from shell.contract import Action, Signal


class Strategy:
    scan_interval_minutes = 60

    def initialize(self, risk_limits, symbols):
        pass

    def analyze(self, markets, portfolio, timestamp):
        held = {each.symbol: each.qty * markets[each.symbol].current_price for each in portfolio.positions}
        return [
            Signal(symbol, Action.BUY, 0.05) for symbol in markets
            if held.get(symbol, 0.0) < 0.18 * portfolio.total_value
        ]

    def on_fill(self, symbol, action, qty, price, intent):
        pass

    def on_position_closed(self, symbol, pnl, pnl_pct):
        pass

    def get_state(self):
        return {}

    def load_state(self, state):
        pass
"""


class Person:
    """`reckless_on` is the local day at whose end a losing strategy is made active, on evidence that is invented."""

    def __init__(self, bot: BotServer, url: str, reckless_on: date | None = None) -> None:
        self.bot, self.url = bot, url
        self.reckless_on = reckless_on
        self.lifted: list[str] = []
        self.pages: list[dict[str, Any]] = []
        self._calls = Calls()
        self._telegram: Telegram | None = None
        self._read = 0

    def look(self, opened: OpenHome, now: datetime) -> list[str]:
        """The end of a day; what was done and seen."""
        day = local_day(now, opened.shell.zone)
        lines = [self._smuggle(opened, now)] if day == self.reckless_on else []
        lines.append(self._read_page(opened))
        self._with_phone(opened, lambda: lines.extend(self._talk(opened)))
        return lines

    def leave(self) -> None:
        if self._telegram is not None:
            self._telegram.stop()
        self._calls.close("the shell is stopping")

    # -- the phone ------------------------------------------------------------------------------------------------

    def _with_phone(self, opened: OpenHome, talk: Callable[[], None]) -> None:
        """This is the trading thread: it answers while the person talks."""
        if self._telegram is None:
            self._telegram = self._connected(opened)
        failed: list[BaseException] = []

        def talking() -> None:
            try:
                talk()
            except BaseException as error:  # noqa: BLE001
                failed.append(error)

        person, desk = Thread(target=talking, name="person", daemon=True), Desk(opened.shell)
        person.start()
        while person.is_alive():
            self._calls.wait(0.05)
            self._calls.answer(desk)
        if failed:
            raise failed[0]

    def _connected(self, opened: OpenHome) -> Telegram:
        theirs = opened.settings.telegram.model_copy(update={"base_url": self.url, "owner_ids": (OWNER,)})
        telegram = Telegram(
            home=opened.home, settings=opened.settings.model_copy(update={"telegram": theirs}), token=Secret(TOKEN),
            clock=_ShellClock(opened), notices=opened.shell.notices, poll_seconds=1,
        )
        telegram.start(self._calls)
        return telegram

    def _talk(self, opened: OpenHome) -> list[str]:
        """Read what has come, and do what it asks for."""
        telegram = self._telegram
        assert telegram is not None
        delivered = self.bot.wait_for(
            lambda: self._calls.ask(lambda _: opened.store.outbox.waiting(), seconds=PATIENCE_SECONDS) == 0, PATIENCE_SECONDS
        )
        assert delivered, telegram.health()
        lines = [self._asked(command, ".") for command in self._advised(opened)]
        for kind in self._calls.ask(lambda desk: [HaltKind(each) for each in desk.status().halted], seconds=PATIENCE_SECONDS):
            question = self.bot.ask(f"/resume {kind.value}", r"/yes \w+", seconds=PATIENCE_SECONDS)
            found = re.search(r"/yes (\w+)", question)
            assert found is not None
            lines.append(f"/resume {kind.value}, and confirms: {_first(self._answer(found.group(0), 'Done'))}")
            self.lifted.append(kind.value)
        return lines

    def _advised(self, opened: OpenHome) -> list[str]:
        """The command that each alarm since the last look begins its advice with, each once; halts are lifted by themselves."""
        messages = self._calls.ask(lambda _: opened.store.outbox.list(), seconds=PATIENCE_SECONDS)
        new, self._read = messages[self._read :], len(messages)
        found = [re.search(r"/[a-z]+", each.action) for each in new if each.severity != Severity.INFO.value]
        return sorted({each.group(0) for each in found if each is not None})

    def _asked(self, command: str, pattern: str) -> str:
        return f"{command}: {_first(self._answer(command, pattern))}"

    def _answer(self, words: str, pattern: str) -> str:
        return self.bot.ask(words, pattern, seconds=PATIENCE_SECONDS)

    # -- the page -------------------------------------------------------------------------------------------------

    def _read_page(self, opened: OpenHome) -> str:
        settings = opened.settings.model_copy(update={"page": opened.settings.page.model_copy(update={"port": 0})})
        page = Page(opened.home, settings)
        page.start()
        try:
            with httpx.Client(base_url=page.url, trust_env=False, timeout=PATIENCE_SECONDS) as client:
                assert "<html" in client.get("/").raise_for_status().text
                view = client.get("/data/view").raise_for_status().json()
        finally:
            page.stop()
        self.pages.append(view)
        assert view["problem"] == "", view
        halted = ", ".join(each["kind"] for each in view["halted"]) or "nothing"
        held = ", ".join(row[0] for row in view["positions"]["rows"]) or "nothing"
        return f"the page says {view['headline'][0]['value']} {view['quote']}, held: {held}; halted: {halted}"

    # -- the losing strategy --------------------------------------------------------------------------------------

    def _smuggle(self, opened: OpenHome, now: datetime) -> str:
        name = honest.gated(opened.store, StrategySource(code=RECKLESS), now)
        honest.tried(opened.store, name, now)
        promotion = Desk(opened.shell).promote(name, now)
        return f"a strategy that buys all it may and keeps no stop is active as {promotion.version}, on forged evidence"


class _ShellClock:
    """The moment of the shell's newest step."""

    def __init__(self, opened: OpenHome) -> None:
        self._opened = opened

    def now(self) -> datetime:
        return self._opened.shell.now


def _first(text: str) -> str:
    """An answer in one line, without its markup."""
    return " ".join(re.sub(r"<[^>]+>", "", text).split())[:200]
