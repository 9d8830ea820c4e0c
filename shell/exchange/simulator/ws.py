"""WebSocket v2 without sockets: one connection as an object. Text goes in by `receive`, text comes out of `outbox`.

Faults of the stream strike here. Whoever owns the socket sends what is in `outbox`, honours `silent` and `cut`, and calls
`heartbeat` about once a second.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from shell.exchange.simulator.auth import Tokens
from shell.exchange.simulator.exchange import Exchange
from shell.exchange.simulator.faults import MESSAGE_KINDS, METHOD_KINDS, Fault, Kind, Plan
from shell.exchange.simulator.moments import rfc3339, span_ns
from shell.exchange.simulator.precision import ZERO, encode
from shell.exchange.simulator.refusal import Refusal
from shell.exchange.simulator.rest import upset
from shell.exchange.simulator.system import SystemState
from shell.exchange.simulator.venue import Event, Requoted, StateChanged, Traded
from shell.exchange.simulator.ws_channels import (
    BY_SYMBOL,
    CHANNELS,
    PRIVATE,
    Message,
    Subscription,
    read_subscription,
    snapshot,
    updates,
)
from shell.exchange.simulator.ws_orders import METHODS
from shell.exchange.simulator.ws_view import status_row

NOT_HERE = "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com"
IDLE_BEATS_MAX = 60
CONNECTION_ID = 13834774380200032777


class Session:
    """One connection. `private` is the door of ws-auth: it takes tokens, private channels and orders."""

    def __init__(
        self, exchange: Exchange, tokens: Tokens, plan: Callable[[], Plan], *, private: bool, number: int,
        woken: Callable[[], None] = lambda: None,
    ) -> None:
        self._exchange = exchange
        self._tokens = tokens
        self._plan = plan
        self._private = private
        self._id = CONNECTION_ID + number
        self._woken = woken
        self._subs: dict[tuple[str, str], Subscription] = {}
        self._token: str | None = None
        self._waiting: list[Message] | None = None
        self._swapped: str | None = None
        self._spoken = False
        self._idle = 0
        self.outbox: deque[str] = deque()
        self.cut = False
        self.silent_s = ZERO
        self.delay_s = ZERO
        exchange.venue.listeners.append(self._on_event)
        self._say({"channel": "status", "type": "update", "data": [status_row(exchange.venue.state, self._id)]})

    @property
    def subscribed(self) -> bool:
        return bool(self._subs)

    def close(self) -> None:
        """The connection is gone."""
        if self._on_event in self._exchange.venue.listeners:
            self._exchange.venue.listeners.remove(self._on_event)

    def drop(self) -> None:
        """Cut the connection from this side."""
        self.cut = True
        self.close()
        self._woken()

    def heartbeat(self) -> None:
        """Say that the connection lives, if nothing else was said since the last time. Without a subscription it is cut
        after a minute of silence from the other side."""
        if self._subs and not self._spoken:
            self._say({"channel": "heartbeat"})
        self._idle = 0 if self._subs else self._idle + 1
        if self._idle >= IDLE_BEATS_MAX:
            self.drop()
        self._spoken = False

    def receive(self, text: str) -> None:
        """Do what one message asks."""
        self._idle = 0
        time_in = rfc3339(self._exchange.venue.told_ns)
        try:
            read = json.loads(text, parse_float=Decimal)
        except (ValueError, RecursionError):
            read = None
        if not isinstance(read, dict) or not isinstance(read.get("method"), str):
            self._say({"error": "Malformed request", "success": False, "time_in": time_in, "time_out": time_in})
            return
        method, params = read["method"], read.get("params", {})
        head: Message = {"method": method}
        tail: Message = {"time_in": time_in, "time_out": time_in}
        if isinstance(read.get("req_id"), int) and not isinstance(read.get("req_id"), bool):
            tail["req_id"] = read["req_id"]
        if not isinstance(params, dict):
            self._say({**head, "error": "Malformed request", "success": False, **tail})
        elif method == "ping":
            self._say({"method": "pong", **tail})
        elif method in ("subscribe", "unsubscribe"):
            self._subscribe(method, params, tail)
        elif method in METHODS:
            self._trade(method, params, tail)
        else:
            self._say({**head, "error": f"Unsupported method {method}", "success": False, **tail})

    # -- channels -------------------------------------------------------------------------------------------------

    def _subscribe(self, method: str, params: Mapping[str, Any], tail: Message) -> None:
        channel, symbols = params.get("channel"), params.get("symbol", [])
        if channel not in CHANNELS or not isinstance(channel, str):
            self._deny(method, f"Unsupported channel {channel}" if channel else "Channel field is missing", tail)
        elif channel in PRIVATE:
            try:
                self._token = self._admitted(params.get("token"))
            except Refusal as refusal:
                self._deny(method, refusal.errors[0], tail)
                return
            self._one(method, channel, "", params, tail)
        elif channel not in BY_SYMBOL:
            self._one(method, channel, "", params, tail)
        elif not isinstance(symbols, list) or not symbols or not all(isinstance(each, str) for each in symbols):
            self._deny(method, "Symbol(s) must be an array" if symbols else "Symbol field is missing", tail)
        else:
            for symbol in symbols:
                self._one(method, channel, symbol, params, tail)

    def _one(self, method: str, channel: str, symbol: str, params: Mapping[str, Any], tail: Message) -> None:
        """One acknowledgement a symbol, and the snapshot behind it."""
        venue = self._exchange.venue
        try:
            sub = read_subscription(venue, channel, symbol, params)
            if method == "subscribe" and (channel, symbol) in self._subs:
                raise Refusal("Already subscribed")
            if method == "unsubscribe" and (channel, symbol) not in self._subs:
                raise Refusal("Subscription not found")
        except Refusal as refusal:
            named = {"symbol": symbol} if symbol else {}
            self._say({"error": refusal.errors[0], "method": method, "success": False, **named, **tail})
            return
        self._say({"method": method, "result": dict(sub.params), "success": True, **tail})
        if method == "unsubscribe":
            del self._subs[channel, symbol]
            return
        self._subs[channel, symbol] = sub
        first = snapshot(venue, sub)
        if first is not None:
            self._publish(first)

    def _admitted(self, token: object) -> str:
        if not self._private:
            raise Refusal(NOT_HERE)
        in_use = token == self._token and any(channel in PRIVATE for channel, _ in self._subs)
        return self._tokens.check(token, self._exchange.now_ns, in_use=in_use)

    def _deny(self, method: str, error: str, tail: Message) -> None:
        self._say({"error": error, "method": method, "success": False, **tail})

    # -- trading --------------------------------------------------------------------------------------------------

    def _trade(self, method: str, params: Mapping[str, Any], tail: Message) -> None:
        exchange = self._exchange
        fault = self._plan().strike(METHOD_KINDS, method, exchange.now_ns)
        if fault is not None and self._prevented(method, params, tail, fault):
            return
        # What a request brings about is told after its answer; a fault, or another connection, may see it first.
        self._waiting = []
        answers = self._do(method, params, tail)
        events, self._waiting = self._waiting, None
        kind = None if fault is None else fault.kind
        if fault is not None and kind is Kind.ERROR_AFTER:
            answers = [{"error": fault.error, "method": method, "success": False, **tail}]
        elif kind is Kind.LOST_AFTER:
            answers = []
        elif fault is not None and kind is Kind.MAINTENANCE_AFTER:
            exchange.set_state(SystemState.MAINTENANCE, span_ns(fault.seconds))
        first, second = (events, answers) if kind is Kind.WS_RACE else (answers, events)
        for message in (*first, *second):
            self._say(message) if "method" in message else self._publish(message)
        if fault is not None and kind is Kind.DELAY:
            self.delay_s = fault.seconds

    def _prevented(self, method: str, params: Mapping[str, Any], tail: Message, fault: Fault) -> bool:
        """Apply a fault that comes before the request; True when the request goes no further."""
        exchange = self._exchange
        match fault.kind:
            case Kind.LOST_BEFORE:
                return True
            case Kind.WS_DROP:
                self.drop()
                return True
            case Kind.LATE | Kind.LATE_ARRIVAL:
                due = exchange.now_ns + span_ns(fault.seconds)
                exchange.venue.schedule(due, lambda: self._forget(self._do(method, params, tail)))
                return True
            case Kind.ERROR_BEFORE:
                self._say({"error": fault.error, "method": method, "success": False, **tail})
                return True
            case Kind.MAINTENANCE_AFTER:
                return False
            case _:
                upset(exchange, self._tokens, fault)
                return False

    @staticmethod
    def _forget(_: list[Message]) -> None:
        """The answer to a request that arrived late reaches nobody."""

    def _do(self, method: str, params: Mapping[str, Any], tail: Message) -> list[Message]:
        """Carry out a trading method; its answers, one each cancelled order."""
        exchange = self._exchange
        try:
            token = params.get("token")
            self._admitted(token)
            asked = {name: value for name, value in params.items() if name != "token"}
            result = METHODS[method](exchange, asked)
        except Refusal as refusal:
            return [{"error": refusal.errors[0], "method": method, "success": False, **tail}]
        tail = {**tail, "time_out": rfc3339(exchange.venue.told_ns)}
        if method == "cancel_order":
            return [
                {"error": each.errors[0], "method": method, "success": False, **tail} if isinstance(each, Refusal)
                else {"method": method, "result": each, "success": True, **tail}
                for each in result
            ]
        if method == "batch_cancel":
            return [{"method": method, "orders_cancelled": result["count"], "result": result, "success": True, **tail}]
        return [{"method": method, "result": result, "success": True, **tail}]

    # -- what goes out --------------------------------------------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        venue = self._exchange.venue
        if isinstance(event, StateChanged):
            self._publish({"channel": "status", "type": "update", "data": [status_row(event.state, self._id)]})
        if not self._subs:
            return
        if isinstance(event, (Traded, Requoted)):  # at every print, where a union would be made each time
            symbol = event.listing.symbol
            keys = [(channel, symbol) for channel in BY_SYMBOL if (channel, symbol) in self._subs]
        else:
            keys = [key for key in self._subs if key[0] in (*PRIVATE, "instrument")]
        for key in keys:
            message = updates(venue, self._subs[key], event)
            if message is None:
                continue
            if self._waiting is not None:
                self._waiting.append(message)
            else:
                self._publish(message)

    def _publish(self, message: Message) -> None:
        """Send a message of a channel, unless a fault has its way with it."""
        channel = str(message.get("channel"))
        fault = self._plan().strike(MESSAGE_KINDS, channel, self._exchange.now_ns) if message.get("type") == "update" else None
        kind = None if fault is None else fault.kind
        if fault is not None and kind in (Kind.WS_SILENCE, Kind.DELAY):
            if kind is Kind.WS_SILENCE:
                self.silent_s = fault.seconds
            else:
                self.delay_s = fault.seconds
        if kind is Kind.WS_DROP:
            self.drop()
            return
        if kind is Kind.WS_LOSE:
            return
        if kind is Kind.BAD_CHECKSUM and channel == "book":
            row = {**message["data"][0], "checksum": message["data"][0]["checksum"] ^ 1}
            message = {**message, "data": [row]}
        text = encode(message)
        if kind is Kind.WS_REORDER and self._swapped is None:
            self._swapped = text
            return
        self._push(text)
        if kind is Kind.WS_DUPLICATE:
            self._push(text)
        if self._swapped is not None:
            late, self._swapped = self._swapped, None
            self._push(late)

    def _say(self, message: Message) -> None:
        self._push(encode(message))

    def _push(self, text: str) -> None:
        if not self.cut:
            self._spoken = True
            self.outbox.append(text)
            self._woken()
