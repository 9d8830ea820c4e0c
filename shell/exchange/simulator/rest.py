"""REST without sockets: a request comes in as values and goes out as values, faults included.

`Rest.answer` is what a server, or a test without one, calls. `Answer.fate` says what a connection must do with it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from shell.exchange.simulator import rest_account, rest_orders, rest_public
from shell.exchange.simulator.auth import CANCEL, QUERY, TRADE, WEBSOCKET, WITHDRAW, KeyRing, Tokens, require
from shell.exchange.simulator.exchange import Exchange
from shell.exchange.simulator.faults import REST_KINDS, Fault, Kind, Plan
from shell.exchange.simulator.fields import Params, read_body, read_query
from shell.exchange.simulator.moments import span_ns
from shell.exchange.simulator.precision import ZERO, encode
from shell.exchange.simulator.refusal import API_RATE, UNAVAILABLE, UNKNOWN_METHOD, Refusal
from shell.exchange.simulator.system import SystemState

Work = Callable[[], Any]
PUBLIC, PRIVATE = "/0/public/", "/0/private/"
JSON, HTML = "application/json", "text/html; charset=UTF-8"
FREE = frozenset(rest_orders.ENDPOINTS)
RIGHTS: Mapping[str, str] = {
    **dict.fromkeys(("AddOrder", "AddOrderBatch", "AmendOrder", "EditOrder"), TRADE),
    **dict.fromkeys(("CancelOrder", "CancelOrderBatch", "CancelAll", "CancelAllOrdersAfter"), CANCEL),
    "GetWebSocketsToken": WEBSOCKET,
}
# A key that may withdraw sees empty lists here; one that may not is refused, which is how a client can tell.
FUNDING = frozenset({
    "DepositMethods", "DepositAddresses", "DepositStatus", "WalletTransfer",
    "WithdrawMethods", "WithdrawAddresses", "WithdrawInfo", "WithdrawStatus", "WithdrawCancel", "Withdraw",
})


class Fate(str, Enum):
    """What becomes of an answer on its way."""

    SENT = "sent"
    RESET = "reset"
    HANGS = "hangs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request. `target` is path and query, `headers` have lower-case names."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer, sent after `delay_s` of real time if its fate is to be sent."""

    status: int = 200
    kind: str = JSON
    body: str = ""
    delay_s: Decimal = ZERO
    fate: Fate = Fate.SENT


class Rest:
    """Kraken's REST API over one exchange."""

    def __init__(self, exchange: Exchange, keys: KeyRing, tokens: Tokens, plan: Plan) -> None:
        self._exchange = exchange
        self._keys = keys
        self._tokens = tokens
        self.plan = plan

    def answer(self, request: Request) -> Answer:
        """Do what is asked, unless a fault comes between."""
        place = urlsplit(request.target).path.rsplit("/", 1)[-1]
        fault = self.plan.strike(REST_KINDS, place, self._exchange.now_ns)
        if fault is None:
            return Answer(body=self._serve(request))
        return self._faulty(request, fault)

    def _faulty(self, request: Request, fault: Fault) -> Answer:
        exchange, lost = self._exchange, Fate.HANGS if fault.hang else Fate.RESET
        match fault.kind:
            case Kind.LOST_BEFORE:
                return Answer(fate=lost)
            case Kind.LOST_AFTER:
                self._serve(request)
                return Answer(fate=lost)
            case Kind.LATE | Kind.LATE_ARRIVAL:
                work = self._admitted(request) if fault.kind is Kind.LATE else lambda: self._result(request)
                due = exchange.now_ns + span_ns(fault.seconds)
                exchange.venue.schedule(due, lambda: _unheard(work))
                return Answer(fate=lost)
            case Kind.HTML_BEFORE:
                return _page(fault.status)
            case Kind.HTML_AFTER:
                self._serve(request)
                return _page(fault.status)
            case Kind.DELAY:
                return Answer(body=self._serve(request), delay_s=fault.seconds)
            case Kind.ERROR_BEFORE:
                return Answer(body=_refused(Refusal(fault.error)))
            case Kind.ERROR_AFTER:
                self._serve(request)
                return Answer(body=_refused(Refusal(fault.error)))
            case Kind.MAINTENANCE_AFTER:
                body = self._serve(request)
                exchange.set_state(SystemState.MAINTENANCE, span_ns(fault.seconds))
                return Answer(body=body)
            case _:
                upset(exchange, self._tokens, fault)
                return Answer(body=self._serve(request))

    def _serve(self, request: Request) -> str:
        try:
            return encode({"error": [], "result": self._result(request)})
        except Refusal as refusal:
            return _refused(refusal)

    def _admitted(self, request: Request) -> Work:
        """The work of a request that passes the doors now, or of telling it that it does not."""
        try:
            return self._work(request)
        except Refusal as refusal:
            error = refusal

        def refuse() -> Any:
            raise error

        return refuse

    def _result(self, request: Request) -> Any:
        return self._work(request)()

    def _work(self, request: Request) -> Work:
        """Check who asks and how often; what is left to do. Raises Refusal."""
        split = urlsplit(request.target)
        if split.path.startswith(PUBLIC):
            endpoint = rest_public.ENDPOINTS.get(split.path.removeprefix(PUBLIC))
            if endpoint is None:
                raise Refusal(UNKNOWN_METHOD)
            params = read_query(split.query)
            if request.method == "POST" and request.body:
                params |= read_body(request.body, request.headers.get("content-type", ""))
            return partial(endpoint, self._exchange.venue, params)
        if not split.path.startswith(PRIVATE):
            raise Refusal(UNKNOWN_METHOD)
        params = read_body(request.body, request.headers.get("content-type", ""))
        return self._private(split.path, request, params)

    def _private(self, path: str, request: Request, params: Params) -> Work:
        name, now_ns = path.removeprefix(PRIVATE), self._exchange.now_ns
        key = self._keys.admit(path, request.headers, request.body, params, now_ns)
        if name in FUNDING:
            require(key, WITHDRAW)
            return list
        require(key, RIGHTS.get(name, QUERY))
        cost = 0 if name in FREE else rest_account.COSTS.get(name, 1)
        if not key.counter.takes(Decimal(cost), now_ns):
            raise Refusal(API_RATE)
        if name == "GetWebSocketsToken":
            return lambda: {"token": self._tokens.issue(now_ns), "expires": 900}
        endpoint = rest_orders.ENDPOINTS.get(name) or rest_account.ENDPOINTS.get(name)
        if endpoint is None:
            raise Refusal(UNKNOWN_METHOD)
        return partial(self._engine, endpoint, params)

    def _engine(self, endpoint: Callable[[Exchange, Params], Any], params: Params) -> Any:
        if self._exchange.venue.state is SystemState.MAINTENANCE:
            raise Refusal(UNAVAILABLE)
        return endpoint(self._exchange, params)


def _unheard(work: Work) -> None:
    """Do what is left of a request whose answer reaches nobody."""
    with contextlib.suppress(Refusal):
        work()


def upset(exchange: Exchange, tokens: Tokens, fault: Fault) -> None:
    """The faults that change the exchange rather than one answer."""
    match fault.kind:
        case Kind.PARTIAL_FILL:
            exchange.venue.quirks.fill_share = fault.share
        case Kind.MAINTENANCE_BEFORE | Kind.MAINTENANCE_AFTER:
            exchange.set_state(SystemState.MAINTENANCE, span_ns(fault.seconds))
        case Kind.CLOCK_STEP:
            exchange.venue.skew_ns += span_ns(fault.seconds)
        case Kind.TOKEN_EXPIRY:
            tokens.void()
        case _:
            pass


def _refused(refusal: Refusal) -> str:
    return encode({"error": list(refusal.errors)})


def _page(status: int) -> Answer:
    title = {502: "Bad gateway", 504: "Gateway time-out", 520: "Web server is returning an unknown error"}.get(status, "Error")
    body = (
        f"<!DOCTYPE html>\n<html lang=\"en-US\"><head><title>api.kraken.com | {status}: {title}</title></head>"
        f"<body><h1>{title} <span>Error code {status}</span></h1><p>cloudflare</p></body></html>\n"
    )
    return Answer(status=status, kind=HTML, body=body)
