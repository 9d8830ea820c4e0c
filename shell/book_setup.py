"""How a paper book is put together: pairs and fees of its symbols, a gateway, an engine. One way, for every caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from shell.config_book import HostConfig, PaperConfig, RiskConfig
from shell.engine import Engine
from shell.engine_config import EngineConfig
from shell.exchange.gateway import FeeSchedule, Gateway
from shell.exchange.paper import PaperGateway
from shell.execution.client_id import NO_MARK
from shell.execution.record import Journal
from shell.host.port import StrategyHost
from shell.market.book import MarketBook
from shell.market.history import History
from shell.market.pair import Pair, replay_pair
from shell.market.recorded import RecordedBook
from shell.risk.limits import fill_allowance

if TYPE_CHECKING:
    # For its name alone: a backtest's process has no database, and knows no library for one.
    from shell.store.books import BookState
    from shell.venue import GatewayMaker


def pairs_of(history: History) -> dict[str, Pair]:
    """The pairs of a history, where there is no exchange to ask."""
    return pairs_at({symbol: float(frame["close"][0]) if len(frame) else 1.0 for symbol, frame in history.m5.items()})


def pairs_at(prices: Mapping[str, float]) -> dict[str, Pair]:
    """The pairs of symbols of which a price is known."""
    return {symbol: replay_pair(symbol, price) for symbol, price in prices.items()}


def fees_of(symbols: Sequence[str], paper: PaperConfig) -> dict[str, FeeSchedule]:
    """The configured maker and taker fee for each symbol."""
    costs = {symbol: paper.for_symbol(symbol) for symbol in symbols}
    return {
        symbol: FeeSchedule(maker_pct=cost.maker_fee_pct, taker_pct=cost.taker_fee_pct)
        for symbol, cost in costs.items()
    }


def new_engine(
    *,
    book: str,
    version: str,
    market: MarketBook | RecordedBook,
    host: StrategyHost,
    journal: Journal,
    paper: PaperConfig,
    risk: RiskConfig,
    host_config: HostConfig,
    zone: ZoneInfo,
    pairs: dict[str, Pair],
    fees: dict[str, FeeSchedule],
    state: BookState | None = None,
    watched: dict[str, Pair] | None = None,
    gateway: GatewayMaker | None = None,
    mark: str = NO_MARK,
) -> Engine:
    """An engine on a paper gateway that spends its ledger's cash; `state` is what the store knows of the book.

    Positions of `watched` pairs can be left and not opened. With `gateway` another one is made than a paper gateway, which
    finds out by itself what became of orders on their way; `mark` is the home's, in the names of its orders.
    """
    within = {**(watched or {}), **pairs}
    paper_gateway = PaperGateway(
        pairs=within, fees={**fees_of(tuple(within), paper), **fees}, config=paper,
        limit_entry_expiry=paper.limit_entry_expiry, funds=lambda: engine.ledger.cash,
    )
    chosen: Gateway = paper_gateway
    if gateway is not None:
        chosen = gateway(book=book, funds=lambda: engine.ledger.cash, state=state)
    engine = Engine(
        EngineConfig(
            book=book, version=version, risk=risk, host=host_config, zone=zone, pairs=pairs, fees=fees,
            watched=watched or {}, fill_allowance_pct=fill_allowance(paper), mark=mark,
        ),
        market=market, gateway=chosen, host=host, journal=journal,
        ledger=state.ledger if state else None, marks=state.marks if state else None,
        halts=tuple(state.halts) if state else (), last_scan=state.last_scan if state else None,
    )
    if state is None:
        return engine
    engine.remember(state.recent_signals, state.order_times, state.waiting_exits)
    if gateway is not None:
        # Only a venue knows what became of an intent whose answer never came: it is looked for, not written off.
        engine.write_off([], state.unanswered)
        return engine
    paper_gateway.restore([order.submitted for order in state.open_orders if order.submitted is not None])
    unsent = [order.approved for order in state.open_orders if order.submitted is None]
    # An exit that no signal asked for counts as lost once it is written off, and that is done here.
    engine.write_off(unsent, state.unanswered + sum(order.intent.signal_id is None for order in unsent))
    return engine
