"""A local Kraken in this process as the market of a shell: no network, invented prices, at any speed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from deployments.live_opening import LiveSource
from shell.clock import PacedClock, SystemClock, from_ms, parse_moment, to_ms
from shell.errors import UsageError
from shell.exchange.kraken.addresses import Addresses
from shell.exchange.kraken.pace import FastPace
from shell.exchange.kraken.signing import Credentials
from shell.exchange.simulator.desk import Desk
from shell.exchange.simulator.hosting import Hosted, hosted
from shell.exchange.simulator.tape import opening_of, tape_of
from shell.exchange.simulator.venue import Rules
from shell.home import Home
from shell.market.bars import DAY_MS, Tier
from shell.market.folder import load_history
from shell.market.history import History
from shell.market.synthetic import synthetic_market
from shell.secrets import Secret
from shell.store.candles import CandleStore
from shell.store.place import open_store

ANCHOR_FACT = "simulated.anchor"
# An invented market lies around the day a home first saw it, the same at every later start.
PAST_DAYS, FUTURE_DAYS = 60, 180
PRINTS_A_BAR = 60
SPEED_MAX = 600.0


@contextmanager
def simulated(
    home: Home, symbols: Sequence[str], *, seed: int, speed: float, data: Path | None = None, prints: int = PRINTS_A_BAR
) -> Iterator[LiveSource]:
    """Serve an exchange while the block runs. A home goes on where it was: at the present, or at its newest bar if that is
    later, as it is after a run faster than life. Raises UsageError for a speed that cannot be."""
    if not 1 <= speed <= SPEED_MAX:
        raise UsageError(f"--speed {speed:g} is out of range: 1 to {SPEED_MAX:g}")
    anchor, newest = _anchor(home, symbols)
    begin = from_ms(to_ms(anchor) // DAY_MS * DAY_MS) - timedelta(days=PAST_DAYS)
    opens = max(SystemClock().now(), newest) if newest is not None else SystemClock().now()
    if data is None:
        history = synthetic_market(seed, symbols, begin, PAST_DAYS + FUTURE_DAYS)
        if opens >= begin + timedelta(days=PAST_DAYS + FUTURE_DAYS):
            raise UsageError(f"the invented market of {home.root} has ended: begin another one with --home")
        tape = tape_of(history, opens, seed=seed, prints=prints)
        name = f"simulated Kraken (seed {seed})"
        past: History | None = history
    else:
        history = load_history(data, symbols)
        tape = tape_of(history, opening_of(history, timedelta(days=PAST_DAYS)), seed=seed, prints=prints, opens_at=opens)
        name, past = f"simulated Kraken ({history.source})", None
    with hosted(tape, Rules(seed=seed), speed=speed) as exchange:
        yield source_on(exchange, speed=speed, name=name, past=past)


def source_on(exchange: Hosted, *, speed: float, name: str, past: History | None = None) -> LiveSource:
    """The market of a served exchange that runs at `speed`, on a clock that shows its time."""
    told = exchange.addresses()

    def current(desk: Desk) -> datetime:
        desk.pace.catch_up()
        return desk.exchange.now

    return LiveSource(
        addresses=Addresses(rest=told["rest"], ws=told["ws"], ws_auth=told["ws_auth"]),
        clock=PacedClock(exchange.do(current), speed), pace=FastPace(speed), name=name, real=False, past=past,
        credentials=Credentials(key=Secret(told["key"]), secret=Secret(told["secret"])),
    )


def _anchor(home: Home, symbols: Sequence[str]) -> tuple[datetime, datetime | None]:
    """The day the home's invented market is laid around, and its newest bar's end."""
    home.create()
    with open_store(home) as store:
        anchor = parse_moment(store.facts.once(ANCHOR_FACT, SystemClock().now().isoformat()))
        spans = [CandleStore(store).span(symbol, Tier.M5) for symbol in symbols]
    ends = [span[1] + Tier.M5.ms for span in spans if span is not None]
    return anchor, from_ms(max(ends)) if ends else None
