"""The trading thread of a running shell: prices as they come, positions every 30 seconds, each slot at its moment.

One thread does everything that touches the books, a little at a time: take what the feed told, heed a kill, answer questions,
scan a slot that is due, look at every position. An exception in one of these is counted and shown, and the loop goes on; a
broken invariant halts openings, and protection goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from threading import Event
from typing import Any

from shell.beside import Beginnings
from shell.calls import Calls
from shell.clock import Clock, from_ms, local_day, local_moment, monotonic, to_ms
from shell.companion import Companion
from shell.config import LoopConfig
from shell.desk import Desk
from shell.errors import Fatal, Rejected
from shell.live_status import LiveCounts, LoopErrors, link_of
from shell.log import get_logger
from shell.main_book import LIVE_FACT, MAIN_BOOK
from shell.market.bars import Tier
from shell.market.live import LiveBook
from shell.market.live_inbox import LiveInbox
from shell.notices.link_watch import LinkWatch
from shell.risk.halts import Halt, HaltKind
from shell.service import Shell
from shell.slots import newest_slot

SLOT = timedelta(milliseconds=Tier.M5.ms)
CATCH_UP = "catch-up"
# The longest sleep: a kill is heeded within a second.
WAIT_SECONDS_MAX = 0.5
CLOCK_STEP = timedelta(seconds=5)
DISTRUST_SECONDS = 10.0
SNAPSHOT_HOUR, SNAPSHOT_MINUTE = 23, 59
Tell = Callable[[datetime, str, str], None]


def _silent(_now: datetime, _kind: str, _sentence: str) -> None:
    """Nobody looks."""


class TradingLoop:
    """Keeps one started shell's time. `turn` is one round and needs no thread; `run` goes on until `stop`."""

    def __init__(
        self, shell: Shell, market: LiveBook, inbox: LiveInbox, calls: Calls, clock: Clock, *, config: LoopConfig,
        companions: Sequence[Companion] = (), link: Callable[[], Mapping[str, Any]] = dict, tell: Tell = _silent,
        speed: float = 1.0, stopped: Event | None = None,
    ) -> None:
        self._shell = shell
        self._market = market
        self._inbox = inbox
        self._calls = calls
        self._clock = clock
        self._config = config
        self._companions = tuple(companions)
        self._beginnings = Beginnings(self._companions, calls)
        self._link = link
        self._exchange = LinkWatch("Kraken", shell.notify)
        self._tell = tell
        self._speed = speed
        self._desk = Desk(shell)
        self._stopped = stopped or Event()
        self._begun: datetime | None = None
        self._slot: datetime | None = None
        self._monitored: datetime | None = None
        self._fees_asked: datetime | None = None
        self._snapped: date | None = None
        self._read: tuple[datetime, float] | None = None
        self._unpriced: set[str] = set()
        self._skewed = False
        self._distrusted_until = 0.0
        self.counts = LiveCounts()
        self.errors = LoopErrors()
        shell.keeps_time = True

    # -- life -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until `stop`, then shut down in the order of the specification. The feed and the store are the caller's."""
        self._beginnings.begin()
        self._tell_of_companions(self._clock.now())
        self._shell.announce(self._clock.now())
        try:
            while not self._stopped.is_set():
                now = self._clock.now()
                self._guarded("clock", now, self._watch_clock)
                self.turn(now)
                self._calls.wait(self._pause(self._clock.now()))
        finally:
            self._end()

    def stop(self) -> None:
        """End after this round. From any thread, and from a signal's handler."""
        self._stopped.set()

    def turn(self, now: datetime) -> None:
        """One round at `now`."""
        if self._begun is None:
            # A slot that came while the shell was starting is due.
            self._begun, self._slot = now, newest_slot(self._shell.now)
        self._shell.reach(now)
        self._guarded("kill", now, self._shell.heed_kill_request)
        self._guarded("prices", now, self._take)
        self._guarded("venue", now, self._shell.settle)
        self._guarded("questions", now, lambda _now: self._calls.answer(self._desk))
        self._guarded("slot", now, self._work_slot)
        self._guarded("monitor", now, self._monitor)
        self._guarded("day", now, self._daily)
        self._tell_of_companions(now)
        self._inbox.concerned = self._shell.symbols_concerned()

    def _end(self) -> None:
        self._beginnings.join()
        now = self._clock.now()
        for companion in reversed(self._companions):
            self._guarded(companion.name, now, partial(_stop, companion))
        self._calls.close("the shell is stopping")
        self._guarded("shutdown", now, self._shut_down)

    def _shut_down(self, now: datetime) -> None:
        self._shell.shutdown(now)
        self._write_status(now, running=False)

    def _tell_of_companions(self, now: datetime) -> None:
        """Who came up beside the loop, or why not; trading needs none of them."""
        for started in self._beginnings.news():
            match started.error:
                case None:
                    self._say(now, "beside", f"{started.name} is up")
                case Rejected():
                    # Its own word for what a person can mend.
                    self._say(now, "beside", f"{started.name} is off: {started.error}")
                case _:
                    self._count(started.name, now, started.error)

    # -- parts of a round -----------------------------------------------------------------------------------------

    def _take(self, now: datetime) -> None:
        """What the feed told: the book first, then every price to the books it concerns."""
        delivery = self._inbox.take()
        self._market.take(delivery)
        concerned = self._shell.symbols_concerned() if delivery.ticks else frozenset()
        for tick in delivery.ticks:
            if tick.symbol in concerned:
                self.counts.ticks += 1
                self._shell.on_price(tick.symbol, tick.price, from_ms(tick.at_ms))
        for sentence in delivery.news:
            self._say(now, "feed", sentence)

    def _work_slot(self, now: datetime) -> None:
        """The newest slot, once its bars are in or the grace is over. Older ones that nobody worked are left out, and told."""
        due, last = newest_slot(now), self._slot
        if last is None or due <= last or monotonic() * self._speed < self._distrusted_until:
            return
        late, complete = now - due, self._market.complete_until() >= to_ms(due)
        if late < self._config.bar_grace and not complete:
            return
        differ = self._clocks_differ(now)
        scan = late <= self._config.slot_lateness_max and not differ
        if missed := (due - last) // SLOT - scan:
            self.counts.missed += missed
            self._notify(now, "slots", f"{missed} slots up to {due:%Y-%m-%d %H:%M} UTC were not scanned, and will not be")
        # Noted first: a slot that fails is not worked again.
        self._slot = due
        if differ:
            # Nothing is revealed by a clock that may be wrong.
            return
        begun = monotonic()
        origin = self._shell.slots.take(due)
        record = self._shell.step(due, origin=origin if scan else CATCH_UP, scan=scan)
        self._shell.keep_bars()
        self.counts.step_done(scan=scan, complete=complete, seconds=monotonic() - begun)
        if record.scan is None:
            self._say(now, "step", f"{due:%H:%M} no scan is due" if scan else f"{due:%H:%M} brought up to date")

    def _monitor(self, now: datetime) -> None:
        """Every position at its newest price, bars that came late, and what `brain status` shows."""
        if self._monitored is not None and timedelta(0) <= now - self._monitored < self._config.monitor_interval:
            return
        self._monitored = now
        self._watch_link(now)
        waiting = self._slot is not None and newest_slot(now) == self._slot and self._market.has_waiting(to_ms(now))
        if waiting and not self._clocks_differ(now):
            self._shell.step(now, origin=CATCH_UP, scan=False)
            self._shell.keep_bars()
        for symbol in sorted(self._shell.symbols_concerned()):
            price, quote = self._market.live_price(symbol), self._market.live_quote(symbol)
            stale = quote is None or now - from_ms(quote.at_ms) > self._shell.config.risk.stale_price
            if price is None or stale:
                self._warn_unpriced(symbol, now)
            else:
                self._unpriced.discard(symbol)
                self._shell.on_price(symbol, price, now)
        self._write_status(now, running=True)

    def _daily(self, now: datetime) -> None:
        """Fees once a day, and the day's snapshot if nobody asked for it."""
        if self._fees_asked is None or now - self._fees_asked >= self._config.fee_interval:
            self._fees_asked = now
            self._shell.update_fees(now)
            asked = self._shell.venue.asks_fees
            self._say(now, "fees", "read from the account" if asked else "those of [paper]: there is no account to ask")
        day = local_day(now, self._shell.zone)
        if day != self._snapped and now >= local_moment(day, SNAPSHOT_HOUR, SNAPSHOT_MINUTE, self._shell.zone):
            self._snapped = day
            if all(taken.day != day for taken in self._shell.store.snapshots.list(MAIN_BOOK)):
                self._shell.snapshot(now)
                self._say(now, "snapshot", f"{day} recorded by the shell: nobody had asked for it")

    # -- what may go wrong ----------------------------------------------------------------------------------------

    def _guarded(self, what: str, now: datetime, part: Callable[[datetime], object]) -> bool:
        """Run one part of a round; True if it came to its end. What it raises is counted and shown, and the loop goes on."""
        try:
            part(now)
        except Fatal as error:
            self._count(what, now, error)
            self._halt(f"{what}: {error}", now)
        except Exception as error:  # noqa: BLE001  # the loop's outermost edge
            self._count(what, now, error)
        else:
            return True
        return False

    def _count(self, what: str, now: datetime, error: Exception) -> None:
        if not self.errors.note(what, now, error):
            # What fails the same way in every round is counted, and told now and then.
            return
        get_logger().error("a part of the loop failed", part=what, exc_info=error)
        self._tell(now, "error", f"{what}: {error}")

    def _halt(self, sentence: str, now: datetime) -> None:
        if HaltKind.BOOKS_DIFFER in self._shell.engine.halts:
            return
        halt = Halt(kind=HaltKind.BOOKS_DIFFER, book=MAIN_BOOK, sentence=f"an invariant is broken: {sentence}", raised_at=now)
        if not self._guarded("halt", now, lambda _now: self._shell.engine.halt(halt)):
            # Even a step that books what contradicts itself has to leave the halt behind for the next process.
            self._guarded("halt", now, lambda _now: self._shell.store.halts.raise_(halt))
        self._guarded("halt", now, self._shell.notices.catch_up)

    def _watch_clock(self, now: datetime) -> None:
        """A step of the machine's clock, or its sleep: both are a jump against the seconds that only grow."""
        seconds = monotonic() * self._speed
        before, self._read = self._read, (now, seconds)
        if before is None:
            return
        jump = (now - before[0]) - timedelta(seconds=seconds - before[1])
        if abs(jump) > CLOCK_STEP:
            self.counts.clock_steps += 1
            way = "forward, or the machine slept" if jump > timedelta(0) else "back"
            self._notify(now, "clock", f"the clock went {abs(jump).total_seconds():.0f} s {way}")
            # Until the exchange's times have shown which clock is right.
            self._distrusted_until = seconds + DISTRUST_SECONDS
            self._monitored = None
            if self._slot is not None:
                # Going back: the engine never scans a slot twice, and later ones come by the new time.
                self._slot = min(self._slot, newest_slot(now))

    def _clocks_differ(self, now: datetime) -> bool:
        """True while our clock is too far from the exchange's: a slot of the wrong time is no slot."""
        lag = link_of(self._link()).get("lag_seconds")
        differs = lag is not None and abs(float(lag)) > self._config.clock_difference_max.total_seconds()
        if differs and not self._skewed:
            told = f"this machine's clock is {lag:+.0f} s from the exchange's: nothing is scanned until they agree"
            self._notify(now, "clock", told)
        self._skewed = differs
        return differs

    def _watch_link(self, now: datetime) -> None:
        state = link_of(self._link())
        if "up" in state:
            system = str(state.get("system", "unknown"))
            reason = f"the exchange says {system}" if state["up"] else str(state.get("reason") or "not connected")
            self._exchange.look(bool(state["up"]) and system in ("online", "unknown"), reason, now)

    def _warn_unpriced(self, symbol: str, now: datetime) -> None:
        if symbol not in self._unpriced:
            self._unpriced.add(symbol)
            limit = self._shell.config.risk.stale_price.total_seconds()
            told = f"{symbol}: no price for more than {limit:.0f} s; its stop cannot be watched until there is one"
            self._notify(now, "stale", told)

    def _notify(self, now: datetime, kind: str, sentence: str) -> None:
        self._shell.notify(kind, "warning", sentence, now)

    def _say(self, now: datetime, kind: str, sentence: str) -> None:
        get_logger().info(kind, sentence=sentence)
        self._tell(now, kind, sentence)

    # -- time -----------------------------------------------------------------------------------------------------

    def _pause(self, now: datetime) -> float:
        """Real seconds until something is due by the clock, at most WAIT_SECONDS_MAX."""
        edges = [newest_slot(now) + SLOT - now]
        if self._monitored is not None:
            edges.append(self._monitored + self._config.monitor_interval - now)
        if self._slot is not None and newest_slot(now) > self._slot:
            edges.append(newest_slot(now) + self._config.bar_grace - now)
        soonest = min(edges).total_seconds() / self._speed
        return min(max(soonest, 0.005), WAIT_SECONDS_MAX)

    def _write_status(self, now: datetime, *, running: bool) -> None:
        """What `brain status` shows of the running shell."""
        seen = self._market.last_seen()
        facts = {
            "at": now.isoformat(), "since": self._begun.isoformat() if self._begun else None, "running": running,
            "link": link_of(self._link()),
            "price_age_s": {symbol: round((now - from_ms(at_ms)).total_seconds(), 1) for symbol, at_ms in seen.items()},
            "bars_until": from_ms(self._market.complete_until()).isoformat(),
            "late_bars": self._market.late, "revised_bars": self._market.revised,
            **self.counts.as_dict(), "errors": self.errors.as_dict(),
            "beside": [
                {"name": health.name, "ok": health.ok, "sentence": health.sentence}
                for health in (companion.health() for companion in self._companions)
            ],
        }
        self._shell.store.facts.set(LIVE_FACT, facts, now)


def _stop(companion: Companion, _now: datetime) -> None:
    companion.stop()
