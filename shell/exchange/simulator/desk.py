"""One simulated exchange with all its doors, still without sockets: REST, sessions, control, keys, faults, pace."""

from __future__ import annotations

from collections.abc import Callable

from shell.errors import BrainError
from shell.exchange.simulator import control
from shell.exchange.simulator.auth import KeyRing, Tokens, make_pair_of_keys
from shell.exchange.simulator.exchange import Exchange
from shell.exchange.simulator.faults import Plan
from shell.exchange.simulator.pace import Pace
from shell.exchange.simulator.precision import encode
from shell.exchange.simulator.rest import Answer, Request, Rest
from shell.exchange.simulator.tape import Tape
from shell.exchange.simulator.venue import Rules
from shell.exchange.simulator.ws import Session

CONTROL = "/control/"


class Desk:
    """What a server serves. Without sockets: `request` and `connect` are the same doors as values."""

    def __init__(
        self, tape: Tape, rules: Rules | None = None, *, key: str = "", secret: str = "", speed: float = 0,
        plan: Plan | None = None,
    ) -> None:
        rules = rules or Rules()
        drawn_key, drawn_secret = make_pair_of_keys(rules.seed)
        self.key, self.secret = key or drawn_key, secret or drawn_secret
        self.exchange = Exchange(tape, rules)
        self.keys = KeyRing(self.exchange.venue.account_tier)
        self.keys.add(self.key, self.secret)
        self.tokens = Tokens(rules.seed)
        self.rest = Rest(self.exchange, self.keys, self.tokens, plan or Plan())
        self.pace = Pace(self.exchange, speed)
        self.sessions: list[Session] = []
        self._connections = 0

    def request(self, request: Request) -> Answer:
        """Answer one HTTP request, of Kraken's API or of the control endpoint."""
        self.pace.catch_up()
        path = request.target.split("?")[0]
        if not path.startswith(CONTROL):
            return self.rest.answer(request)
        try:
            status, body = control.answer(self, path.removeprefix(CONTROL), request.body)
        except BrainError as error:
            status, body = 400, encode({"error": str(error)})
        return Answer(status=status, body=body)

    def connect(self, *, private: bool, woken: Callable[[], None] = lambda: None) -> Session:
        """Open a WebSocket connection."""
        self.pace.catch_up()
        self._connections += 1
        session = Session(
            self.exchange, self.tokens, lambda: self.rest.plan, private=private, number=self._connections, woken=woken
        )
        self.sessions.append(session)
        return session

    def disconnect(self, session: Session) -> None:
        """The other side is gone."""
        session.close()
        if session in self.sessions:
            self.sessions.remove(session)
