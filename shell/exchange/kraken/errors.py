"""Every error of Kraken as one of ours, by what the caller does next.

Rejected                 nothing happened
├── KrakenRefused        a definite no: never sent again unchanged; `refusal` says why
└── NotNow
    ├── RateLimited      not executed; `wait_seconds` until it may be tried again
    ├── MarketMode       the venue takes no such request now (cancel_only, post_only, maintenance)
    ├── NonceRefused     refused before execution; reads are tried once more, orders are not
    ├── TokenRefused     the socket's token is void: fetch a new one and connect again
    └── NotSent          no connection: nothing left this machine
OutcomeUnknown
└── KrakenUnknown        a write that may have happened: look it up, never resend
Transient
├── KrakenUnavailable    a read that failed
└── MalformedAnswer      a read whose answer is not what Kraken documents (a write's becomes KrakenUnknown)
Fatal
└── KeyRefused           the key, its permissions or the account: stop, alert, no retry

The strings are those of Kraken's documentation and of recorded answers (read 2026-11).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from shell.errors import BrainError, Fatal, NotNow, OutcomeUnknown, Rejected, Transient


class Refusal(str, Enum):
    """Why a definite no."""

    FUNDS = "insufficient funds"
    MINIMUM = "below the minimum"
    PRICE = "price not allowed"
    ARGUMENTS = "arguments not allowed"
    PAIR = "unknown pair or asset"
    POST_ONLY = "post-only would take"
    UNKNOWN_ORDER = "no such open order"
    DEADLINE = "deadline passed"
    ORDERS_LIMIT = "too many open orders"
    ACCOUNT = "not allowed for this account"


class KrakenRefused(Rejected):
    """A definite no. On a cancel, UNKNOWN_ORDER means closed, filled or wrong: query it, it may have filled."""

    def __init__(self, message: str, *, refusal: Refusal, codes: Sequence[str]) -> None:
        self.refusal = refusal
        self.codes = tuple(codes)
        super().__init__(message)


class RateLimited(NotNow):
    """Not executed. `engine` tells the per-pair counter of the matching engine from the key's counter."""

    def __init__(self, message: str, *, wait_seconds: float, engine: bool = False) -> None:
        self.wait_seconds = wait_seconds
        self.engine = engine
        super().__init__(message)


class MarketMode(NotNow):
    """The venue is in a state that does not take this request."""


class NonceRefused(NotNow):
    """The nonce was not above the last one Kraken has seen for this key. Nothing was executed."""


class TokenRefused(NotNow):
    """The token of a private socket is void."""


class NotSent(NotNow):
    """No connection could be made: nothing was sent."""


class KrakenUnknown(OutcomeUnknown):
    """A write that was sent and not clearly answered."""


class KrakenUnavailable(Transient):
    """A read that failed; it may be tried again."""


class MalformedAnswer(Transient):
    """An answer that is not what Kraken documents."""


class KeyRefused(Fatal):
    """The key, its permissions or the account. Trying again makes it worse: Kraken locks keys that keep failing."""


class Verdict(Enum):
    """What an error string means for the caller."""

    REFUSED = "refused"
    RATE = "rate limited"
    ENGINE_RATE = "engine rate limited"
    THROTTLED = "throttled until a time"
    MODE = "market mode"
    NONCE = "nonce"
    TOKEN = "token"
    KEY = "key"
    UNAVAILABLE = "unavailable"
    """Reads: retry. Writes: may have happened."""
    UNLISTED = "unlisted"
    """Not in our table. Reads: refused. Writes: may have happened, because nobody can say that it did not."""


@dataclass(frozen=True, slots=True)
class Meaning:
    verdict: Verdict
    refusal: Refusal = Refusal.ARGUMENTS


_V, _R = Verdict, Refusal
# By beginning; the longest that fits decides.
MEANINGS: Final[dict[str, Meaning]] = {
    "EAPI:Invalid key": Meaning(_V.KEY),
    "EAPI:Invalid signature": Meaning(_V.KEY),
    "EAPI:Invalid nonce": Meaning(_V.NONCE),
    "EAPI:Rate limit exceeded": Meaning(_V.RATE),
    "EAPI:Feature disabled": Meaning(_V.REFUSED, _R.ACCOUNT),
    "EAPI:Bad request": Meaning(_V.REFUSED),
    "EAuth:": Meaning(_V.KEY),
    "EAccount:": Meaning(_V.REFUSED, _R.ACCOUNT),
    "EGeneral:Permission denied": Meaning(_V.KEY),
    "EGeneral:Temporary lockout": Meaning(_V.KEY),
    "EGeneral:Too many requests": Meaning(_V.RATE),
    "EGeneral:Invalid arguments": Meaning(_V.REFUSED),
    "EGeneral:Invalid arguments:volume minimum not met": Meaning(_V.REFUSED, _R.MINIMUM),
    "EGeneral:Unknown method": Meaning(_V.REFUSED),
    "EGeneral:Internal error": Meaning(_V.UNAVAILABLE),
    "EDatabase:Internal error": Meaning(_V.UNAVAILABLE),
    "EService:Unavailable": Meaning(_V.UNAVAILABLE),
    "EService:Busy": Meaning(_V.UNAVAILABLE),
    "EService:Timeout": Meaning(_V.UNAVAILABLE),
    "EService:Throttled": Meaning(_V.THROTTLED),
    "EService:Market in cancel_only mode": Meaning(_V.MODE),
    "EService:Market in post_only mode": Meaning(_V.MODE),
    "EService:Market in limit_only mode": Meaning(_V.MODE),
    "EService:Market in maintenance mode": Meaning(_V.MODE),
    "EService:Deadline elapsed": Meaning(_V.REFUSED, _R.DEADLINE),
    "EQuery:Unknown asset": Meaning(_V.REFUSED, _R.PAIR),
    "EQuery:Unknown asset pair": Meaning(_V.REFUSED, _R.PAIR),
    "EOrder:Rate limit exceeded": Meaning(_V.ENGINE_RATE),
    "EOrder:Domain rate limit exceeded": Meaning(_V.ENGINE_RATE),
    "EOrder:Orders limit exceeded": Meaning(_V.REFUSED, _R.ORDERS_LIMIT),
    "EOrder:Positions limit exceeded": Meaning(_V.REFUSED, _R.ORDERS_LIMIT),
    "EOrder:Scheduled orders limit exceeded": Meaning(_V.REFUSED, _R.ORDERS_LIMIT),
    "EOrder:Insufficient funds": Meaning(_V.REFUSED, _R.FUNDS),
    "EOrder:Insufficient margin": Meaning(_V.REFUSED, _R.FUNDS),
    "EOrder:Order minimum not met": Meaning(_V.REFUSED, _R.MINIMUM),
    "EOrder:Cost minimum not met": Meaning(_V.REFUSED, _R.MINIMUM),
    "EOrder:Invalid price": Meaning(_V.REFUSED, _R.PRICE),
    "EOrder:Tick size check failed": Meaning(_V.REFUSED, _R.PRICE),
    "EOrder:Invalid order": Meaning(_V.REFUSED),
    "EOrder:Unknown order": Meaning(_V.REFUSED, _R.UNKNOWN_ORDER),
    "EOrder:Unknown position": Meaning(_V.REFUSED, _R.UNKNOWN_ORDER),
    "EOrder:Post only order": Meaning(_V.REFUSED, _R.POST_ONLY),
    "EOrder:Margin allowance exceeded": Meaning(_V.REFUSED, _R.ACCOUNT),
    "EOrder:Trading agreement required": Meaning(_V.KEY),
    "ESession:Invalid session": Meaning(_V.TOKEN),
    "ETrade:User Locked": Meaning(_V.KEY),
    "ETrade:Locked": Meaning(_V.KEY),
}
_BY_LENGTH = tuple(sorted(MEANINGS, key=len, reverse=True))

# How long until a counter has fallen enough; Kraken gives no figure but for Throttled (fact sheet: 5 to 15 s).
RATE_WAIT_SECONDS = 10.0
ENGINE_WAIT_SECONDS = 5.0
THROTTLE_WAIT_SECONDS_MAX = 900.0


def meaning_of(code: str) -> Meaning:
    """What one error string means; UNLISTED for one we do not know."""
    return next((MEANINGS[known] for known in _BY_LENGTH if code.startswith(known)), Meaning(_V.UNLISTED))


def error_of(codes: Sequence[str], what: str, *, write: bool, now_seconds: float = 0.0) -> BrainError:
    """The error to raise for the E-strings of one answer to `what` ("AddOrder").

    With several, the one that leaves most open decides: a doubt about a write, then the key, then anything else.
    `now_seconds` since the epoch turns Throttled's time into a wait.
    """
    code, meaning = min(((code, meaning_of(code)) for code in codes), key=lambda each: _severity(each[1].verdict, write))
    told = ", ".join(codes)
    match meaning.verdict:
        case Verdict.REFUSED:
            return KrakenRefused(f"Kraken refused {what}: {told}", refusal=meaning.refusal, codes=codes)
        case Verdict.RATE:
            return RateLimited(f"Kraken's rate limit stopped {what}: {told}", wait_seconds=RATE_WAIT_SECONDS)
        case Verdict.ENGINE_RATE:
            message = f"the matching engine's rate limit stopped {what}: {told}"
            return RateLimited(message, wait_seconds=ENGINE_WAIT_SECONDS, engine=True)
        case Verdict.THROTTLED:
            wait = _throttle_wait(code, now_seconds)
            return RateLimited(f"Kraken asks for a pause of {wait:.0f} s before {what}: {told}", wait_seconds=wait)
        case Verdict.MODE:
            return MarketMode(f"Kraken takes no {what} now: {told}")
        case Verdict.NONCE:
            return NonceRefused(f"Kraken refused the nonce of {what}; nothing was executed")
        case Verdict.TOKEN:
            return TokenRefused(f"Kraken no longer knows the session of {what}: {told}")
        case Verdict.KEY:
            return KeyRefused(f"Kraken refuses this API key or account ({told}) at {what}: check the key and its permissions")
        case Verdict.UNAVAILABLE | Verdict.UNLISTED if write:
            return KrakenUnknown(f"Kraken answered {what} with {told}: it may have happened")
        case Verdict.UNAVAILABLE:
            return KrakenUnavailable(f"Kraken could not answer {what}: {told}")
        case _:
            return KrakenRefused(f"Kraken refused {what}: {told}", refusal=meaning.refusal, codes=codes)


def _severity(verdict: Verdict, write: bool) -> int:
    if verdict in (Verdict.UNAVAILABLE, Verdict.UNLISTED):
        return 0 if write else 2
    return 1 if verdict is Verdict.KEY else 3


def _throttle_wait(code: str, now_seconds: float) -> float:
    digits = code.rpartition(":")[2].strip()
    if not digits.isdecimal():
        return RATE_WAIT_SECONDS
    return min(max(float(digits) - now_seconds, 1.0), THROTTLE_WAIT_SECONDS_MAX)
