"""Capital in the hands of the shell: what is allocated to start with, and the operator's notes heeded once each (D12)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from shell.capital_notes import CapitalNote, forget_notes, take_notes
from shell.config import Settings
from shell.engine import Engine
from shell.errors import NotNow
from shell.home import Home
from shell.money import NO_MONEY, QuoteAmount
from shell.portfolio.ledger import CapitalEvent
from shell.risk.view import reserved
from shell.store.store import Store

NOTE_FACT = "capital.note:"
Notify = Callable[[str, str, str, datetime], None]


def allocated(settings: Settings) -> QuoteAmount:
    """The capital that the settings give the system: in live mode a part of the account, on paper the whole of it."""
    account = settings.account
    if settings.mode == "live" and account.allocated_cash:
        return QuoteAmount(account.allocated_cash)
    return QuoteAmount(account.starting_cash)


def heed_notes(
    home: Home, store: Store, engine: Engine, *, quote: str, live: bool, notify: Notify, now: datetime
) -> list[str]:
    """Book what operators asked for; returns a sentence each. A note that cannot be heeded is refused for good."""
    told = []
    waiting = take_notes(home)
    for note in waiting:
        if store.facts.get(NOTE_FACT + note.note_id) is not None:
            continue
        try:
            sentence = _book(note, store, engine, quote=quote, live=live, now=now)
        except NotNow as refusal:
            sentence = f"refused: {refusal}"
            store.facts.set(NOTE_FACT + note.note_id, sentence, now)
        notify("capital", "info", sentence, now)
        told.append(sentence)
    if waiting:
        forget_notes(home, {note.note_id for note in waiting})
    return told


def _book(note: CapitalNote, store: Store, engine: Engine, *, quote: str, live: bool, now: datetime) -> str:
    amount = QuoteAmount(note.amount)
    free = engine.ledger.cash - reserved(engine.gateway.open_orders())
    if amount + free < NO_MONEY:
        raise NotNow(f"{-amount} are more than the {free} of cash that is neither invested nor reserved")
    if live:
        outside = QuoteAmount(store.account.outside().get(quote, NO_MONEY.value))
        if amount > outside:
            raise NotNow(f"{amount} are more than the {outside} {quote} in the account that are not the system's yet")
    verb = "allocated to" if amount > NO_MONEY else "taken from"
    sentence = f"{abs(amount.value):f} {quote} {verb} the system by the operator"
    with engine.together(), store.transaction():
        engine.add_capital(CapitalEvent(amount=amount, at=now, reason=f"by the operator, note {note.note_id}"))
        if live:
            store.account.shift(quote, -note.amount)
        store.facts.set(NOTE_FACT + note.note_id, sentence, now)
    return sentence
