"""Where a shell trades, as one value: the market's facts, the gateway of the main book, and what is asked of the venue.

A paper venue leaves all hooks as they are. A live one makes its own gateway and says how the account is probed and the books
are reconciled; the shell calls these at the moments of the start-up sequence and asks nothing else about the mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from shell.exchange.gateway import FeeSchedule, Gateway
from shell.market.pair import Pair
from shell.money import QuoteAmount

if TYPE_CHECKING:
    from shell.engine import Engine
    from shell.store.books import BookState


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketFacts:
    """What the composition root knows of the market: pairs, fees, and whose prices these are.

    `watched` are pairs nobody trades any more, of which positions are still held: they are protected, never opened.
    """

    pairs: Mapping[str, Pair]
    fees: Mapping[str, FeeSchedule]
    source: str
    real: bool
    watched: Mapping[str, Pair] | None = None


class GatewayMaker(Protocol):
    """Makes the gateway of one book. It takes up by itself what `state` tells was on its way when the process ended."""

    def __call__(self, *, book: str, funds: Callable[[], QuoteAmount], state: BookState | None) -> Gateway: ...


def nothing_to_probe(_now: datetime) -> Sequence[str]:
    return ()


def nothing_to_reconcile(_engine: Engine, _now: datetime) -> Sequence[str]:
    return ()


def nothing_to_follow(_engine: Engine, _now: datetime) -> None:
    """Paper books have no account behind them."""


def no_schedule(_now: datetime) -> Mapping[str, FeeSchedule] | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """`gateway` None means paper, for the main book as for trials, which are always paper.

    `probe` runs first at start-up: sentences for the person, or NotNow to refuse the start. `reconcile` runs before the first
    scan, once the books are loaded; `follow` goes on with it in every round, a little at a time and without waiting. `fees`
    gives the account's own schedule, None where there is none to ask for.
    """

    facts: MarketFacts
    gateway: GatewayMaker | None = None
    probe: Callable[[datetime], Sequence[str]] = nothing_to_probe
    reconcile: Callable[[Engine, datetime], Sequence[str]] = nothing_to_reconcile
    follow: Callable[[Engine, datetime], None] = nothing_to_follow
    fees: Callable[[datetime], Mapping[str, FeeSchedule] | None] = no_schedule

    @property
    def asks_fees(self) -> bool:
        """True where the account's own fees are asked for."""
        return self.fees is not no_schedule
