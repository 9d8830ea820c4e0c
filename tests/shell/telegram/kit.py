"""A real shell on an invented market, a trading thread that answers, and the bot on the stand-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deployments.opening import OpenHome, account_overrides, open_replay, settings_for
from shell.calls import Calls
from shell.clock import SystemClock
from shell.companion import LinkHealth
from shell.contract import Action, Signal
from shell.desk import Desk
from shell.home import Home
from shell.market.synthetic import synthetic_market
from shell.secrets import Secret
from shell.telegram.companion import Telegram
from tests.shell.beside import answered
from tests.shell.telegram.bot_server import OWNER, TOKEN, BotServer, serving

SYMBOLS = ("BTC/USD", "ETH/USD")
STEP = timedelta(minutes=5)
PAST_DAYS = 31


@contextmanager
def opened_home(folder: Path, **overrides: Any) -> Iterator[OpenHome]:
    """A started shell whose market stands at the present, because Telegram's times are real ones."""
    present = datetime.now(UTC)
    start = present.replace(minute=present.minute // 5 * 5, second=0, microsecond=0)
    history = synthetic_market(5, SYMBOLS, start - timedelta(days=PAST_DAYS), PAST_DAYS + 1)
    home = Home.private(folder)
    settings = settings_for(
        home, {**account_overrides(SYMBOLS), "telegram.owner_ids": [OWNER], **{
            key.replace("__", "."): value for key, value in overrides.items()
        }}
    )
    held = open_replay(home, settings, history, start, start + timedelta(hours=12))
    try:
        held.shell.start(start)
        held.shell.step(start, origin="rehearsal", scan=False)
        yield held
    finally:
        held.close()


def buy(opened: OpenHome, symbol: str = "BTC/USD") -> None:
    """Hold something, the way a person's signal gets in, and let the next bar fill it."""
    shell = opened.shell
    shell.engine.by_hand(Signal(symbol, Action.BUY, 0.05, stop_loss=1.0), f"test:{symbol}:{shell.now:%H%M%S}", shell.now)
    step(opened)


def cleared(opened: OpenHome) -> OpenHome:
    """As if nobody had done anything yet: no position, no halt, no message that waits."""
    shell, hand = opened.shell, Desk(opened.shell).by_hand
    for kind in list(shell.engine.halts):
        shell.lift(kind, "the test", shell.now)
    for symbol in list(shell.engine.ledger.positions):
        hand.close(symbol, "the test", shell.now)
    step(opened)
    shell.notices.delivered_elsewhere = shell.notices.farewell_told = False
    opened.store.outbox.mark_delivered([each.id for each in opened.store.outbox.undelivered(1_000)], shell.now)
    return opened


def step(opened: OpenHome) -> None:
    """Bar by bar to the first close after the present, where every order of before has met a price."""
    while True:
        opened.shell.step(opened.shell.now + STEP, origin="rehearsal", scan=False)
        if opened.shell.now > datetime.now(UTC):
            return


@contextmanager
def talking(
    opened: OpenHome, bot: BotServer, *, links: Callable[[], Sequence[LinkHealth]] = tuple,
    report: Callable[[], Path] | None = None, trading: bool = True, connected: bool = True,
    owners: Sequence[int] = (OWNER,),
) -> Iterator[tuple[Telegram, Calls]]:
    """The bot over the stand-in, beside a shell that answers (or, not `trading`, that does not)."""
    with serving(bot) as url:
        telegram = companion(opened, url, links=links, report=report, owners=owners)
        calls = Calls()
        with answered(Desk(opened.shell), calls) if trading else _silent(calls):
            telegram.start(calls)
            try:
                if connected:
                    assert bot.wait_for(lambda: bot.polls > 0), telegram.health()
                yield telegram, calls
            finally:
                telegram.stop()


def companion(
    opened: OpenHome, url: str, *, links: Callable[[], Sequence[LinkHealth]] = tuple,
    report: Callable[[], Path] | None = None, owners: Sequence[int] = (OWNER,),
) -> Telegram:
    changed = {"base_url": url, "owner_ids": tuple(owners)}
    config = opened.settings.model_copy(update={"telegram": opened.settings.telegram.model_copy(update=changed)})
    return Telegram(
        home=opened.home, settings=config, token=Secret(TOKEN), clock=SystemClock(), notices=opened.shell.notices,
        links=links, report=report, poll_seconds=2,
    )


@contextmanager
def _silent(calls: Calls) -> Iterator[Calls]:
    try:
        yield calls
    finally:
        calls.close("the shell is stopping")
