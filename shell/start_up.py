"""What a shell finds out before it trades: how strategies are confined here, and whose risk limits these are."""

from __future__ import annotations

from datetime import datetime

from shell.config import Settings
from shell.errors import NotNow, StrategyFault
from shell.host.isolation import isolation_is_complete
from shell.host.isolation_measure import measured_isolation
from shell.main_book import ISOLATION_FACT, LIMITS_FACT, MAIN_BOOK
from shell.risk.halts import Halt, HaltKind
from shell.risk.limits import limits_hash
from shell.store.store import Store


def isolation_gap(store: Store, settings: Settings, now: datetime) -> str:
    """Find out how well strategies are confined here and keep it for `brain status`; the sentence for what is missing.

    Raises NotNow for anything missing in live mode.
    """
    try:
        isolation = measured_isolation(settings.host)
    except StrategyFault as fault:
        isolation = {"absent": f"no process for a strategy could be started: {fault}"}
    store.facts.set(ISOLATION_FACT, isolation, now)
    gap = isolation_is_complete(isolation)
    if gap and settings.mode == "live":
        raise NotNow(f"live mode is refused: {gap}")
    return gap


def changed_limits(store: Store, settings: Settings, now: datetime) -> Halt | None:
    """The halt to raise when the risk limits are not the ones a person last accepted; the first ones are."""
    present, accepted = limits_hash(settings.risk), store.facts.get(LIMITS_FACT)
    if accepted is None:
        store.facts.set(LIMITS_FACT, present)
        return None
    if accepted == present:
        return None
    sentence = "config/risk_limits.toml has changed; `brain resume LIMITS_CHANGED` accepts it"
    return Halt(kind=HaltKind.LIMITS_CHANGED, book=MAIN_BOOK, sentence=sentence, raised_at=now)
