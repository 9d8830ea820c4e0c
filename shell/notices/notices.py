"""Writing messages: what a step, a day or a start has to tell goes into the outbox, each once.

What trading did is read from the event log behind a stored cursor, in the transaction that moves it: a crash in between
loses no message and repeats none. The log always gets a line; without another channel it is the channel.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from shell.answers import Status
from shell.config import Settings
from shell.execution.record import StepRecord
from shell.log import get_logger
from shell.notices.facts import TOLD_KINDS, notices_of
from shell.notices.kinds import Severity
from shell.notices.notice import Notice
from shell.report import figures
from shell.slots import FALLBACK, REQUESTED
from shell.store.events import Event
from shell.store.store import Store

CURSOR_FACT = "notices.cursor"
LOG_CHANNEL = "log"
FALLBACKS_TOLD = 3
REFUSALS_OVER = timedelta(hours=1)
AGAIN_AFTER = timedelta(hours=24)
SUNDAY = 6
WEEK_DAYS = 7


class Notices:
    """The messages of one home's main book. Used on the trading thread alone, as everything that writes (D11)."""

    def __init__(self, store: Store, settings: Settings, book: str) -> None:
        self._store = store
        self._book = book
        self._quote = settings.account.quote
        self._refusals_max = settings.telegram.refusals_per_hour
        self._refusals: deque[tuple[datetime, str, str]] = deque()
        self._cursor: int | None = None
        self._requested = False
        self._fallbacks = 0
        # Set by the channel that delivers: that there is one, and that it has said goodbye by itself.
        self.delivered_elsewhere = False
        self.on_told: Callable[[datetime, str, str], None] = _unread
        """Called with every message: when, of which kind, what. For a terminal."""
        self.farewell_told = False

    def tell(self, notice: Notice, now: datetime) -> bool:
        """Write one message down. False when its key was told within the last day."""
        if notice.key and self._store.outbox.told(notice.key, now - AGAIN_AFTER):
            return False
        text, action = notice.text, notice.told_action
        get_logger().info("notification", kind=notice.kind, severity=notice.severity.value, text=text, action=action)
        # Where nobody else delivers, the line in the log was the delivery.
        channel = "" if self.delivered_elsewhere else LOG_CHANNEL
        self._store.outbox.add(
            notice.kind, notice.severity.value, text, now, action=action, key=notice.key, channel=channel
        )
        self.on_told(now, notice.kind, text)
        return True

    def notify(self, kind: str, severity: str, text: str, now: datetime, *, action: str = "", key: str = "") -> None:
        """What the shell itself tells, after anything trading has to tell from before. Raises ValueError for a severity
        that is none."""
        notice = Notice(kind=kind, severity=Severity(severity), text=text, action=action, key=key)
        self.catch_up(now)
        self.tell(notice, now)

    def of_step(self, record: StepRecord, now: datetime) -> None:
        """What a step of the main book has to tell."""
        if record.scan is not None:
            self._of_scan(record.scan.origin, now)
        for answer in record.answers:
            if not answer.approved:
                self._refused(answer.code, answer.sentence, now)
        if record.eventful:
            self.catch_up(now)

    def online(self, status: Status, now: datetime) -> str:
        """The start, in the words of the specification, and what still stands against trading; returns the sentence."""
        halted = f"; openings are halted: {', '.join(status.halted)}" if status.halted else ""
        text = f"System online, {len(status.positions)} positions, {status.total_value:,.2f} {self._quote} portfolio{halted}"
        severity = Severity.WARNING if halted else Severity.INFO
        action = "/risk shows what was measured; /resume lifts a halt once you agree" if halted else ""
        self.notify("system", severity.value, text, now, action=action)
        self._log_what_waits(now)
        return text

    def stopped(self, now: datetime) -> None:
        """The end, unless the channel has said goodbye itself before it was closed."""
        self.catch_up(now)
        self.tell(Notice(kind="system", text="System stopped; positions and their stops stay"), now)
        if self.farewell_told:
            (message,) = self._store.outbox.newest(1)
            self._store.outbox.mark_delivered([message.id], now, "farewell")

    def of_day(self, snapshot: dict[str, Any], now: datetime) -> None:
        """The day's result, on Sundays with the week's. Once a local day, however often the snapshot is taken."""
        days = self._store.snapshots.list(self._book)
        pnl = float(snapshot["day_pnl"])
        text = f"Day {snapshot['day']}: {self._result(pnl, float(snapshot['equity']))}"
        key = f"daily:{snapshot['day']}"
        if days and days[-1].day.weekday() == SUNDAY:
            week = [day for day in days if 0 <= (days[-1].day - day.day).days < WEEK_DAYS]
            gained = sum(float(day.day_pnl) for day in week)
            best, worst = max(float(day.day_pnl) for day in week), min(float(day.day_pnl) for day in week)
            text = (
                f"{text}. Week: {self._result(gained, float(snapshot['equity']))}; best day "
                f"{figures.money(best, sign=True)}, worst {figures.money(worst, sign=True)}"
            )
            self.tell(Notice(kind="weekly", text=text, key=key), now)
        else:
            self.tell(Notice(kind="daily", text=text, key=key), now)

    def catch_up(self, now: datetime) -> None:
        """Tell what the event log holds beyond the cursor. A home without a cursor begins at its present end."""
        if self._cursor is None:
            self._cursor = self._stored_cursor()
        events = self._events_after(self._cursor)
        if not events:
            return
        told = notices_of([event for event in events if event.book == self._book], self._quote)
        if told:
            with self._store.transaction():
                for notice in told:
                    self.tell(notice, now)
                self._store.facts.set(CURSOR_FACT, events[-1].seq)
        # Only once it is on disk: after a failure the same events are read again.
        self._cursor = events[-1].seq

    def _stored_cursor(self) -> int:
        known = self._store.facts.get(CURSOR_FACT)
        if known is not None:
            return int(known)
        newest = self._store.events.newest_seq()
        self._store.facts.set(CURSOR_FACT, newest)
        return newest

    def _events_after(self, cursor: int) -> list[Event]:
        return self._store.events.after(cursor, TOLD_KINDS)

    def _of_scan(self, origin: str, now: datetime) -> None:
        """Scans of the shell's own are told after the third in a row, if somebody had asked before; and their end."""
        if origin == REQUESTED:
            if self._fallbacks >= FALLBACKS_TOLD:
                text = f"Scans are asked for again, after {figures.plural(self._fallbacks, 'scan')} of the shell's own"
                self.tell(Notice(kind="fallback", text=text, action="nothing to do"), now)
            self._requested, self._fallbacks = True, 0
        elif origin == FALLBACK and self._requested:
            self._fallbacks += 1
            if self._fallbacks == FALLBACKS_TOLD:
                text = f"Nothing asked for the last {FALLBACKS_TOLD} scans; the shell made them on its own and goes on"
                self.tell(Notice(kind="fallback", severity=Severity.WARNING, text=text), now)

    def _refused(self, code: str, sentence: str, now: datetime) -> None:
        self._refusals.append((now, code, sentence))
        while self._refusals and now - self._refusals[0][0] >= REFUSALS_OVER:
            self._refusals.popleft()
        if len(self._refusals) <= self._refusals_max:
            return
        often, count = Counter(each for _, each, _ in self._refusals).most_common(1)[0]
        example = next(text for _, each, text in reversed(self._refusals) if each == often)
        text = f"{len(self._refusals)} signals were refused within an hour, {count} of them {often}: {example}"
        self.tell(Notice(kind="refusals", severity=Severity.WARNING, text=text, key="refusals"), now)
        self._refusals.clear()

    def _result(self, pnl: float, equity: float) -> str:
        before = equity - pnl
        part = f" ({figures.percent(pnl / before, sign=True)})" if before > 0 else ""
        return f"{figures.money(pnl, sign=True)} {self._quote}{part}, value {figures.money(equity)} {self._quote}"

    def _log_what_waits(self, now: datetime) -> None:
        """What an earlier process left for a channel that there is no more goes to the log."""
        while not self.delivered_elsewhere and (waiting := self._store.outbox.undelivered(100)):
            for message in waiting:
                get_logger().info("notification", kind=message.kind, severity=message.severity, text=message.text)
            self._store.outbox.mark_delivered([message.id for message in waiting], now, LOG_CHANNEL)


def _unread(_now: datetime, _kind: str, _text: str) -> None:
    """Nobody looks."""
