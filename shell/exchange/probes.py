"""Probes of the exchange and the account at start: each a sentence, and live mode is refused when one of them fails.

They read, and one asks for an order to be checked that is never placed. What cannot be known is said and counts as failed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from shell.clock import CLOCK_DIFFERENCE_TOLD, Clock
from shell.errors import BrainError, NotNow
from shell.exchange.kraken.errors import KeyRefused
from shell.exchange.kraken.pairs import KrakenPair, Names, PairStatus
from shell.exchange.kraken.private import PrivateApi
from shell.exchange.kraken.private_types import NewOrder, OrderKind
from shell.exchange.kraken.public import PublicApi
from shell.exchange.kraken.public_types import SystemState, Ticker
from shell.money import CONTEXT, QuoteAmount, plain
from shell.orders import Side

# Kraken tells its time in whole seconds, cut: the true one lies up to this much later.
TOLD_IN = timedelta(seconds=1)
# What can be proven of a difference is smaller than the difference by as much.
SKEW_MAX = CLOCK_DIFFERENCE_TOLD - TOLD_IN
NONCE_AHEAD_MAX = timedelta(days=1)
NANOSECONDS = 1_000_000_000
# Far below the market, where nothing fills even if it were placed.
CHECKED_AT = Decimal("0.5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What one probe found."""

    name: str
    ok: bool
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeFor:
    """What the account is probed for: these symbols, so much cash of the system's in it, and the size of an ordinary order."""

    symbols: Sequence[str]
    quote: str
    cash: QuoteAmount
    usual_order: QuoteAmount
    nonce_file: Path | None = None


async def probe_account(public: PublicApi, private: PrivateApi, clock: Clock, wanted: ProbeFor) -> list[Probe]:
    """Every probe, in order. None of them raises: what could not be asked is a probe that failed."""
    names = private.names
    checks: list[tuple[str, Callable[[], Awaitable[Probe]]]] = [
        ("system", lambda: _system(public)),
        ("clock", lambda: _clock(public, clock)),
        ("nonce", lambda: _nonce(clock, wanted.nonce_file)),
        ("symbols", lambda: _symbols(names, wanted)),
        ("sizes", lambda: _sizes(public, names, wanted)),
        ("key", lambda: _funds(private, wanted)),
        ("trading", lambda: _trading(public, private, wanted)),
        ("stream", lambda: _stream(private)),
        ("withdrawal", lambda: _withdrawal(private)),
    ]
    found = []
    for name, check in checks:
        try:
            found.append(await check())
        except BrainError as error:
            found.append(Probe(name=name, ok=False, sentence=f"it could not be found out: {error}"))
    return found


def refuse_live(probes: Sequence[Probe]) -> list[str]:
    """The sentences of probes that all succeeded. Raises NotNow with every one that did not."""
    failed = [f"{probe.name}: {probe.sentence}" for probe in probes if not probe.ok]
    if failed:
        raise NotNow(f"live mode is refused: {'; '.join(failed)}")
    return [f"{probe.name}: {probe.sentence}" for probe in probes]


async def _system(public: PublicApi) -> Probe:
    state = await public.system_status()
    if state is SystemState.ONLINE:
        return Probe(name="system", ok=True, sentence="Kraken is online")
    ok = state.takes_cancels
    told = "existing orders can be managed, new ones wait" if ok else "nothing can be placed or cancelled: start again later"
    return Probe(name="system", ok=ok, sentence=f"Kraken is in {state.value}: {told}")


async def _clock(public: PublicApi, clock: Clock) -> Probe:
    """Our clock must not be more than `CLOCK_DIFFERENCE_TOLD` off, by what the time of the answer allows to say."""
    before = clock.now()
    told = await public.time()
    ahead, behind = before - (told + TOLD_IN), told - clock.now()
    worst = max(ahead, behind)
    if worst > SKEW_MAX:
        which = "ahead of" if ahead > behind else "behind"
        off = f"{worst.total_seconds():.1f} s {which}"
        sentence = f"this machine's clock is at least {off} Kraken's: set it (NTP) before trading"
        return Probe(name="clock", ok=False, sentence=sentence)
    return Probe(name="clock", ok=True, sentence="this machine's clock agrees with Kraken's to about a second")


async def _nonce(clock: Clock, file: Path | None) -> Probe:
    """The numbers of requests only grow. One far ahead of the clock comes from a clock that was wrong."""
    if file is None or not file.is_file():
        return Probe(name="nonce", ok=True, sentence="no nonce was used here yet")
    text = file.read_text(encoding="ascii", errors="replace").strip()
    if not text.isdecimal():
        return Probe(name="nonce", ok=False, sentence=f"{file} holds no nonce: delete it if this machine's clock is right")
    ahead = timedelta(seconds=(int(text) - round(clock.now().timestamp() * 1e6) * 1000) / NANOSECONDS)
    if ahead > NONCE_AHEAD_MAX:
        told = f"the last nonce lies {ahead.days} days ahead: this clock is wrong, or was; once it is right, make a new key"
        return Probe(name="nonce", ok=False, sentence=told)
    return Probe(name="nonce", ok=True, sentence="the nonces go on above the last one used")


async def _symbols(names: Names, wanted: ProbeFor) -> Probe:
    pairs = [names.pair(symbol) for symbol in wanted.symbols]
    closed = [f"{pair.symbol} ({pair.status.value})" for pair in pairs if pair.status is not PairStatus.ONLINE]
    other = [pair.symbol for pair in pairs if not pair.symbol.endswith(f"/{wanted.quote}")]
    if other:
        told = f"{', '.join(other)} are not traded in {wanted.quote}, the account currency"
        return Probe(name="symbols", ok=False, sentence=told)
    if len(closed) == len(pairs):
        return Probe(name="symbols", ok=False, sentence=f"none of the symbols can be traded now: {', '.join(closed)}")
    told = f"; not open now: {', '.join(closed)}" if closed else ""
    return Probe(name="symbols", ok=True, sentence=f"{len(pairs)} symbols are known to Kraken{told}")


async def _sizes(public: PublicApi, names: Names, wanted: ProbeFor) -> Probe:
    """An order of the usual size must reach the venue's minimums, or every signal would be refused."""
    pairs = [names.pair(symbol) for symbol in wanted.symbols]
    tickers = await public.tickers(pairs)
    small = [f"{pair.symbol} from {plain(least)}" for pair in pairs
             if (least := _least(pair, tickers[pair.symbol])) > wanted.usual_order.value]
    if small:
        told = f"an order of {wanted.usual_order} {wanted.quote} is too small ({', '.join(small)}): allocate more"
        return Probe(name="sizes", ok=False, sentence=told)
    return Probe(name="sizes", ok=True, sentence=f"an order of {wanted.usual_order} {wanted.quote} is above every minimum")


def _least(pair: KrakenPair, ticker: Ticker) -> Decimal:
    """The value of the smallest order at the present price, to a hundredth."""
    by_qty = CONTEXT.multiply(pair.pair.min_qty.value, ticker.ask)
    return max(by_qty, pair.pair.min_cost.value).quantize(Decimal("0.01"))


async def _funds(private: PrivateApi, wanted: ProbeFor) -> Probe:
    """The key may read the account, and the account has the cash that is the system's."""
    balances = await private.balances()
    there = QuoteAmount(balances[wanted.quote].total) if wanted.quote in balances else QuoteAmount(0)
    if there < wanted.cash:
        told = f"the account has {there} {wanted.quote}, but {wanted.cash} are the system's: deposit it, or allocate less"
        return Probe(name="key", ok=False, sentence=told)
    return Probe(name="key", ok=True, sentence=f"the key reads the account; {there} {wanted.quote} are there for {wanted.cash}")


async def _trading(public: PublicApi, private: PrivateApi, wanted: ProbeFor) -> Probe:
    """Have the smallest order checked and not placed: what its permission and Kraken's rules would say."""
    pair = private.names.pair(wanted.symbols[0])
    ask = (await public.tickers([pair]))[pair.symbol].ask
    price = pair.pair.round_price(CONTEXT.multiply(ask, CHECKED_AT), "ROUND_DOWN")
    qty = max(pair.pair.min_qty.value, (pair.pair.min_cost.value / price.value).quantize(pair.pair.lot, "ROUND_UP"))
    order = NewOrder(
        symbol=pair.symbol, side=Side.BUY, kind=OrderKind.LIMIT, qty=qty, price=price.value, post_only=True, validate_only=True
    )
    await private.add_order(order)
    return Probe(name="trading", ok=True, sentence="the key may place orders (one was checked, none was placed)")


async def _stream(private: PrivateApi) -> Probe:
    await private.socket_token()
    return Probe(name="stream", ok=True, sentence="the key opens the private stream")


async def _withdrawal(private: PrivateApi) -> Probe:
    """A key that may not withdraw is refused at the list of ways to. One that is answered may, and is not to be used."""
    try:
        await private.withdrawal_methods()
    except KeyRefused:
        return Probe(name="withdrawal", ok=True, sentence="the key may not withdraw funds")
    told = "the key may withdraw funds: make one that may only query and trade, and use that"
    return Probe(name="withdrawal", ok=False, sentence=told)

