"""Exits that cannot leave at once: the venue's stop is not out yet, or the exchange takes no orders just now.

Such an exit is neither lost nor sent beside the stop, where two would sell one holding. Its signal is answered EXIT_WAITING,
which is written down with the step, and asked again in every round under a name of its own: assessed anew, so never for more
than is held then. The second answer ends the wait; a process that finds a first one without it takes the wait up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shell.contract import Signal
from shell.execution.protector import Protector
from shell.execution.record import StepRecord
from shell.orders import ApprovedOrder, Side, SignalAnswer
from shell.risk.approval import OrderIds, answer_of
from shell.risk.refusal import RefusalCode, Refused

# How long the venue has to take a stop out while it takes orders; then the position is guarded again.
PATIENCE = timedelta(minutes=2)
# An exit decided longer ago than this was decided on another market.
WAIT_MOST = timedelta(hours=1)
LATE = ":late"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingExit:
    """One exit that waits since `since`. `signal_id` is that of its first answer."""

    signal: Signal
    signal_id: str
    since: datetime

    @property
    def late_id(self) -> str:
        """The name of its second answer, and of the order that comes of it."""
        return self.signal_id + LATE


def waiting_exit(answer: SignalAnswer) -> WaitingExit:
    """The exit whose first answer this is."""
    signal = Signal(
        answer.symbol, answer.action, answer.size_pct, order_type=answer.order_type, limit_price=answer.limit_price,
        stop_loss=answer.stop_loss, take_profit=answer.take_profit, intent=answer.horizon, confidence=answer.confidence,
        reasoning=answer.reasoning, tag=answer.tag,
    )
    return WaitingExit(signal=signal, signal_id=answer.signal_id, since=answer.decided_at)


class WaitingExits:
    """Those of one engine, one a symbol. `closed` tells what keeps the exchange from taking orders, `ask` answers a signal."""

    def __init__(
        self, protector: Protector, *, closed: Callable[[], str], ids: Callable[[str, str], OrderIds],
        ask: Callable[[Signal, str, datetime, StepRecord], None],
    ) -> None:
        self._protector = protector
        self._closed = closed
        self._ids = ids
        self._ask = ask
        self._tried_since: dict[str, datetime] = {}
        self.waiting: dict[str, WaitingExit] = {}
        """By symbol."""

    def take_up(self, exits: Iterable[WaitingExit]) -> None:
        """What an earlier process left waiting."""
        self.waiting = {each.signal.symbol: each for each in exits}

    def hold(self, signal: Signal, order: ApprovedOrder, now: datetime, record: StepRecord) -> Refused | None:
        """Why an approved order cannot leave yet; None when it may. Of two exits of one symbol the newer one holds."""
        intent, name = order.intent, order.intent.signal_id or ""
        if intent.side is not Side.SELL:
            return None
        earlier = self.waiting.pop(intent.symbol, None)
        if earlier is not None and earlier.late_id != name:
            self._give_up(earlier, f"a newer exit of {intent.symbol} took its place", now, record)
        closed = self._closed()
        if not closed and self._protector.make_way(intent.symbol, now, record):
            return self._protector.outsold(intent)
        self._tried_since.pop(intent.symbol, None)
        self.waiting[intent.symbol] = WaitingExit(signal=signal, signal_id=name, since=now)
        stop = f"the stop of {intent.symbol} at the venue is being taken out"
        what = f"the exchange takes no orders ({closed})" if closed else stop
        return Refused(code=RefusalCode.EXIT_WAITING, sentence=f"{what}: the exit waits, and leaves as soon as it can")

    def finish(self, now: datetime, record: StepRecord) -> None:
        """Send what can leave now, and give up what has waited too long."""
        for symbol, exit_ in list(self.waiting.items()):
            if now - exit_.since >= WAIT_MOST:
                self._give_up(exit_, f"the exit of {symbol} could not leave within an hour; decide again", now, record)
            elif self._closed():
                self._tried_since.pop(symbol, None)
            elif self._protector.make_way(symbol, now, record):
                self._ask(exit_.signal, exit_.late_id, now, record)
                if self.waiting.get(symbol) is exit_:
                    del self.waiting[symbol]
            elif now - self._tried_since.setdefault(symbol, now) >= PATIENCE:
                told = f"the stop of {symbol} at the venue could not be taken out within {PATIENCE.seconds} s"
                self._give_up(exit_, f"{told}: nothing was sold, and it stays guarded", now, record)

    def _give_up(self, exit_: WaitingExit, sentence: str, now: datetime, record: StepRecord) -> None:
        symbol = exit_.signal.symbol
        self._tried_since.pop(symbol, None)
        if self.waiting.get(symbol) is exit_:
            del self.waiting[symbol]
        refused = Refused(code=RefusalCode.EXIT_GIVEN_UP, sentence=sentence)
        record.answers.append(answer_of(exit_.signal, refused, ids=self._ids(f"{exit_.late_id}:o", exit_.late_id), now=now))
