"""The terminal of `brain shell`: one line an event, for people."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from rich.console import Console
from rich.markup import escape

from deployments.live_opening import LiveSource
from shell.config import Settings
from shell.execution.record import StepRecord
from shell.orders import OrderState, Side

_STYLE = {
    "error": "bold red", "halt": "bold red", "stale": "yellow", "clock": "yellow", "slots": "yellow", "waiting": "yellow",
    "warning": "yellow", "system": "bold", "step": "dim", "fees": "dim", "scan": "cyan",
}


class LiveView:
    """Prints; keeps nothing. A terminal that went away ends nothing."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def head(self, settings: Settings, source: LiveSource, speed: float) -> None:
        """What is about to run."""
        money = "paper money" if settings.mode == "paper" else "REAL MONEY" if source.real else "live mode, invented money"
        pace = "" if speed == 1 else f", {speed:g} times as fast as life"
        symbols = ", ".join(settings.account.symbols)
        self._print(f"[bold]{money}[/] on {escape(source.name)}{pace}: {symbols}; end it with Ctrl-C or SIGTERM")

    def line(self, now: datetime, kind: str, sentence: str) -> None:
        """One event."""
        style = _STYLE.get(kind, "")
        told = f"[{style}]{kind:<9}[/]" if style else f"{kind:<9}"
        self._print(f"[dim]{now:%m-%d %H:%M:%S}[/] {told} {escape(sentence)}")

    def record(self, record: StepRecord) -> None:
        """One step of the main book, if anything happened in it."""
        if record.scan is not None:
            scan = record.scan
            outcome = f"failed: {scan.fault}" if scan.fault else f"{scan.signals} signals, {scan.approved} approved"
            value = f"{record.equity.value:,.2f}" if record.equity is not None else ""
            told = f"{scan.slot:%H:%M} {scan.version} {outcome}, {scan.milliseconds:.0f} ms ({scan.origin}); total {value}"
            self.line(record.at, "scan", told)
        for answer in record.answers:
            if not answer.approved:
                self.line(record.at, "refused", f"{answer.action} {answer.symbol}: {answer.sentence}")
        for order in record.submitted:
            intent = order.intent
            told = f"{intent.side.value} {intent.qty} {intent.symbol} ({intent.purpose.value}, {intent.order_type.value})"
            self.line(record.at, "order", told)
        for fill in record.fills:
            verb = "bought" if fill.side is Side.BUY else "sold"
            self.line(fill.filled_at, "fill", f"{verb} {fill.qty} {fill.symbol} at {fill.price}, fee {fill.fee}")
        for update in record.updates:
            if update.state not in (OrderState.FILLED,):
                self.line(update.at, "order", f"{update.intent_id} is {update.state.value}: {update.reason}")
        for trade in record.trades:
            self.line(record.at, "closed", f"{trade.symbol} with {trade.pnl} ({trade.pnl_pct * 100:+.2f} %)")

    def notice(self, now: datetime, kind: str, sentence: str) -> None:
        """A message for people, unless a step's record shows it already."""
        if kind not in ("fill", "stop"):
            self.line(now, kind, sentence)

    def _print(self, markup: str) -> None:
        # A terminal may go away; trading does not.
        with suppress(OSError):
            self._console.print(markup, soft_wrap=True)
