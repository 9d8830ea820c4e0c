"""A simulated exchange on a market that stands still until a test moves it, and a customer who signs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import numpy as np

from shell.clock import to_ms
from shell.exchange.simulator.desk import Desk
from shell.exchange.simulator.faults import Plan, read_plan
from shell.exchange.simulator.rest import Answer, Request
from shell.exchange.simulator.tape import BAR_MS, Tape, tape_of
from shell.exchange.simulator.venue import Rules
from shell.exchange.simulator.ws import Session
from shell.market.frames import to_frame
from shell.market.history import History

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PRICES = {"BTC/USD": 30_000.0, "ETH/USD": 2_000.0, "DOGE/USD": 0.08, "BTC/USDT": 30_000.0}


def still_tape(symbols: tuple[str, ...] = ("BTC/USD", "ETH/USD"), *, days: int = 3, prints: int = 4) -> Tape:
    """A market where nothing happens: every trade at the same price, one unit each five minutes."""
    frames = {}
    for symbol in symbols:
        count = (1 + days) * 288
        rows = np.empty((6, count))
        rows[0] = to_ms(START) - 86_400_000 + np.arange(count) * BAR_MS
        rows[1:5] = PRICES[symbol]
        rows[5] = 1.0
        frames[symbol] = to_frame(rows.T)
    return tape_of(History(m5=frames, source="still"), START, seed=1, prints=prints)


def desk(
    *, tape: Tape | None = None, tier: str = "off", plan: Mapping[str, Any] | None = None, usd: str = "100000",
    **rules: Any,
) -> Desk:
    """An exchange in lockstep with some dollars in it."""
    read = Plan() if plan is None else read_plan(plan)
    made = Rules(tier=tier, balances=(("ZUSD", Decimal(usd)),), **rules)
    return Desk(tape or still_tape(), made, plan=read)


class Customer:
    """Calls private endpoints with a rising nonce."""

    def __init__(self, desk: Desk, *, key: str = "", secret: str = "") -> None:
        self.desk = desk
        self.key, self.secret = key or desk.key, secret or desk.secret
        self.nonce = 1000

    def raw(self, name: str, params: Mapping[str, Any], *, as_json: bool = False, nonce: int | None = None) -> Answer:
        """One signed request, its answer untouched."""
        self.nonce += 1
        sent = {"nonce": self.nonce if nonce is None else nonce, **params}
        body = json.dumps(sent) if as_json else urlencode(sent)
        kind = "application/json" if as_json else "application/x-www-form-urlencoded"
        path = f"/0/private/{name}"
        headers = {
            "api-key": self.key, "content-type": kind, "api-sign": sign(self.secret, path, str(sent["nonce"]), body),
        }
        return self.desk.request(Request(method="POST", target=path, headers=headers, body=body.encode()))

    def ask(self, name: str, **params: Any) -> Any:
        """The result of a request that must succeed; `close_price` stands for `close[price]`."""
        body = self.both(name, **params)
        assert body["error"] == [], body
        return body["result"]

    def refused(self, name: str, **params: Any) -> str:
        """The error of a request that must fail."""
        errors = self.both(name, **params)["error"]
        assert len(errors) == 1
        return str(errors[0])

    def both(self, name: str, **params: Any) -> Any:
        named = {_bracketed(key): value for key, value in params.items()}
        return json.loads(self.raw(name, named).body, parse_float=Decimal)

    def buy(self, volume: str = "0.1", **params: Any) -> str:
        """A market buy of bitcoin; its txid."""
        return self.add(type="buy", ordertype="market", volume=volume, **params)

    def add(self, **params: Any) -> str:
        return str(self.ask("AddOrder", **{"pair": "XBTUSD", **params})["txid"][0])

    def order(self, txid: str) -> Any:
        return self.ask("QueryOrders", txid=txid, trades="true")[txid]


def sign(secret: str, path: str, nonce: str, body: str) -> str:
    digest = hashlib.sha256((nonce + body).encode()).digest()
    return base64.b64encode(hmac.new(base64.b64decode(secret), path.encode() + digest, hashlib.sha512).digest()).decode()


def public(desk: Desk, target: str) -> Any:
    """Envelope of a public endpoint, such as `Ticker?pair=XBTUSD`."""
    return json.loads(desk.request(Request(method="GET", target=f"/0/public/{target}")).body, parse_float=Decimal)


def control(desk: Desk, name: str, **given: Any) -> Any:
    body = json.dumps(given).encode() if given else b""
    answer = desk.request(Request(method="POST", target=f"/control/{name}", body=body))
    return {"status": answer.status, **json.loads(answer.body)}


def say(session: Session, method: str, req_id: int | None = None, **params: Any) -> list[Any]:
    """Send one message; everything that comes back."""
    message: dict[str, Any] = {"method": method, "params": params}
    if req_id is not None:
        message["req_id"] = req_id
    session.receive(json.dumps(message))
    return heard(session)


def heard(session: Session) -> list[Any]:
    """What the session has to say, read."""
    read = [json.loads(text, parse_float=Decimal) for text in session.outbox]
    session.outbox.clear()
    return read


def wait(desk: Desk, seconds: float) -> None:
    """Let the exchange's time pass."""
    desk.exchange.advance_to(desk.exchange.now + timedelta(seconds=seconds))


def sound(desk: Desk) -> None:
    """The books are right, and no order filled more than its quantity."""
    assert desk.exchange.venue.accounts.check() == []
    assert all(order.filled <= order.volume for order in desk.exchange.venue.orders.values())


def _bracketed(name: str) -> str:
    return f"close[{name.removeprefix('close_')}]" if name.startswith("close_") else name
