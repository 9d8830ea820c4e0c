"""One strategy from its start to its end, inside the process that runs it: requests in, answers out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shell.contract import DEFAULT_SCAN_INTERVAL_MINUTES, RECENT_TRADES_MAX, ClosedTrade
from shell.host.account import decode_tidings
from shell.host.answers import encode_fault, encode_signals, encode_started, encode_state
from shell.host.candles import CandleShelf, ReplayTerms
from shell.host.loader import load_strategy, skill_file
from shell.host.port import Account, ClosedNotice, FillNotice, LateTrade, Tidings, trade_of
from shell.host.wire import (
    Kind,
    ReplayPlan,
    StartFacts,
    decode_scan,
    decode_start,
    decode_step,
    micros_of,
    portfolio_of,
)
from shell.market.bars import TIERS, Tier
from shell.market.tape import Tape

_EPOCH, _MS = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
_NO_ACCOUNT = Account(0.0, 0.0, 0.0, 0.0, ())


class Session:
    """One strategy, called by whoever has read a request."""

    def __init__(self, isolation: dict[str, Any]) -> None:
        self._isolation = isolation
        self._strategy: object = None
        self.shelf = CandleShelf((), {})
        self._trades: deque[ClosedTrade | LateTrade] = deque(maxlen=RECENT_TRADES_MAX)
        self._shown_trades: tuple[ClosedTrade | LateTrade, ...] = ()
        self._account = _NO_ACCOUNT
        self._now_ms, self._now = 0, _EPOCH
        self._since_ms, self._since = 0, 0 * _MS
        self._origin = "strategy.py"
        self._files: frozenset[str] = frozenset()
        self.call_seconds = 0.0
        self.plan: ReplayPlan | None = None

    def answer(self, kind: int, body: bytes) -> tuple[Kind, bytes]:
        """The reply to one request, a fault if the strategy raised anything at all."""
        try:
            return Kind.ANSWER, self._handle(kind, body)
        except BaseException as error:  # noqa: BLE001  # SystemExit and polars' PanicException included: this is the wall
            return self.fault(error)

    def fault(self, error: BaseException) -> tuple[Kind, bytes]:
        """The reply that reports an exception."""
        return Kind.FAULT, encode_fault(error, self._files, self._origin)

    def start(self, facts: StartFacts, shelf: CandleShelf) -> bytes:
        """Load the strategy over the bars of `shelf`, initialize it, restore its state."""
        self.call_seconds = facts.call_seconds
        self._origin = facts.origin
        self._files = frozenset({facts.origin, *(skill_file(name) for name in facts.skills)})
        self.shelf, self.plan = shelf, facts.replay
        if facts.replay is not None:
            shelf.terms = ReplayTerms(facts.replay.half_spread, facts.replay.fees)
        self._remember(facts.recent_trades)
        strategy = self._strategy = load_strategy(facts.code, facts.skills, facts.origin)
        strategy.initialize(facts.limits, list(facts.symbols))  # type: ignore[attr-defined]
        if facts.state is not None:
            strategy.load_state(facts.state)  # type: ignore[attr-defined]
        interval = getattr(strategy, "scan_interval_minutes", DEFAULT_SCAN_INTERVAL_MINUTES)
        return encode_started(interval, self._isolation)

    def state(self) -> bytes:
        """What the strategy wants kept."""
        return encode_state(self._strategy.get_state())  # type: ignore[attr-defined]

    def quiet_step(self, now_ms: int) -> object:
        """`analyze` at a step of a replay at which nothing but bars is new; what it returned, still to be encoded."""
        shelf = self.shelf
        markets = shelf.replayed(now_ms)
        portfolio = shelf.portfolio(self._account, self._shown_trades, False)
        return self._strategy.analyze(markets, portfolio, self._moment_of(now_ms))  # type: ignore[attr-defined]

    def step(self, now_ms: int, tidings: Tidings) -> object:
        """`analyze` at a step of a replay at which something happened."""
        self._hear(tidings.notices, tidings.new_trades)
        if tidings.account is not None:
            self._account = tidings.account
        shelf = self.shelf
        markets = shelf.replayed(now_ms)
        portfolio = shelf.portfolio(self._account, self._shown_trades, True)
        return self._strategy.analyze(markets, portfolio, self._moment_of(now_ms))  # type: ignore[attr-defined]

    def _moment_of(self, now_ms: int) -> datetime:
        """`now_ms` as a moment, counted from the last one: steps mostly follow one another at the same distance, and to add
        costs a tenth of what it costs to make one anew."""
        since_ms = now_ms - self._now_ms
        if since_ms != self._since_ms:
            self._since_ms, self._since = since_ms, since_ms * _MS
        self._now_ms = now_ms
        self._now = now = self._now + self._since
        return now

    def _handle(self, kind: int, body: bytes) -> bytes:
        match kind:
            case Kind.ANALYZE:
                return self._analyze(body)
            case Kind.STEP:
                now_ms, blocks, tidings = decode_step(body, self.shelf.tapes[Tier.M5].width)
                for tier, block in zip(TIERS, blocks, strict=True):
                    self.shelf.tapes[tier].append(block)
                return encode_signals(self.step(now_ms, decode_tidings(tidings)) if tidings else self.quiet_step(now_ms))
            case Kind.STATE:
                return self.state()
            case Kind.START:
                facts, windows = decode_start(body)
                return self.start(facts, CandleShelf(facts.symbols, windows, self.tapes_for(facts)))
            case _:
                raise ValueError(f"request of unknown kind {kind}")

    def tapes_for(self, facts: StartFacts) -> dict[Tier, Tape]:
        """The tapes that bars arrive on: written here, unless a process maps its parent's."""
        return {tier: Tape(len(facts.symbols)) for tier in TIERS}

    def _analyze(self, body: bytes) -> bytes:
        scan = decode_scan(body)
        self.shelf.feed(scan.bars)
        self._hear(scan.notices, scan.new_trades)
        markets = self.shelf.markets(micros_of(scan.now) // 1000, scan.facts)
        portfolio = portfolio_of(scan, map(trade_of, self._trades))
        return encode_signals(self._strategy.analyze(markets, portfolio, scan.now))  # type: ignore[attr-defined]

    def _hear(self, notices: Sequence[FillNotice | ClosedNotice], new_trades: Sequence[ClosedTrade | LateTrade]) -> None:
        if new_trades:
            self._remember(new_trades)
        strategy = self._strategy
        for notice in notices:
            if isinstance(notice, FillNotice):
                strategy.on_fill(*notice)  # type: ignore[attr-defined]
            else:
                strategy.on_position_closed(*notice)  # type: ignore[attr-defined]

    def _remember(self, trades: Sequence[ClosedTrade | LateTrade]) -> None:
        self._trades.extend(trades)
        self._shown_trades = tuple(self._trades)
