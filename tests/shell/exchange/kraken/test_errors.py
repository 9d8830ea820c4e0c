"""Every error string of Kraken has one meaning, for a question and for what changes something."""

from __future__ import annotations

import pytest

from shell.errors import BrainError, Fatal, NotNow, OutcomeUnknown, Rejected, Transient
from shell.exchange.kraken.errors import (
    MEANINGS,
    KeyRefused,
    KrakenRefused,
    KrakenUnavailable,
    KrakenUnknown,
    MarketMode,
    NonceRefused,
    RateLimited,
    Refusal,
    TokenRefused,
    error_of,
)

Kind = type[BrainError]
# (string as Kraken sends it, error of a read, error of a write, why if refused)
CASES: list[tuple[str, Kind, Kind, Refusal | None]] = [
    ("EAPI:Invalid key", KeyRefused, KeyRefused, None),
    ("EAPI:Invalid signature", KeyRefused, KeyRefused, None),
    ("EAPI:Invalid nonce", NonceRefused, NonceRefused, None),
    ("EAPI:Rate limit exceeded", RateLimited, RateLimited, None),
    ("EAPI:Feature disabled", KrakenRefused, KrakenRefused, Refusal.ACCOUNT),
    ("EAPI:Bad request", KrakenRefused, KrakenRefused, Refusal.ARGUMENTS),
    ("EAuth:Account temporary disabled", KeyRefused, KeyRefused, None),
    ("EAuth:Too many requests", KeyRefused, KeyRefused, None),
    ("EAccount:Invalid permissions:XMR trading restricted for GB.", KrakenRefused, KrakenRefused, Refusal.ACCOUNT),
    ("EGeneral:Permission denied", KeyRefused, KeyRefused, None),
    ("EGeneral:Temporary lockout", KeyRefused, KeyRefused, None),
    ("EGeneral:Too many requests", RateLimited, RateLimited, None),
    ("EGeneral:Invalid arguments", KrakenRefused, KrakenRefused, Refusal.ARGUMENTS),
    ("EGeneral:Invalid arguments:oflags", KrakenRefused, KrakenRefused, Refusal.ARGUMENTS),
    ("EGeneral:Invalid arguments:volume minimum not met", KrakenRefused, KrakenRefused, Refusal.MINIMUM),
    ("EGeneral:Unknown method", KrakenRefused, KrakenRefused, Refusal.ARGUMENTS),
    ("EGeneral:Internal error", KrakenUnavailable, KrakenUnknown, None),
    ("EGeneral:Internal error[12]", KrakenUnavailable, KrakenUnknown, None),
    ("EDatabase:Internal error", KrakenUnavailable, KrakenUnknown, None),
    ("EService:Unavailable", KrakenUnavailable, KrakenUnknown, None),
    ("EService:Busy", KrakenUnavailable, KrakenUnknown, None),
    ("EService:Timeout", KrakenUnavailable, KrakenUnknown, None),
    ("EService:Throttled: 1800000000", RateLimited, RateLimited, None),
    ("EService:Market in cancel_only mode", MarketMode, MarketMode, None),
    ("EService:Market in post_only mode", MarketMode, MarketMode, None),
    ("EService:Market in limit_only mode", MarketMode, MarketMode, None),
    ("EService:Market in maintenance mode", MarketMode, MarketMode, None),
    ("EService:Deadline elapsed", KrakenRefused, KrakenRefused, Refusal.DEADLINE),
    ("EQuery:Unknown asset", KrakenRefused, KrakenRefused, Refusal.PAIR),
    ("EQuery:Unknown asset pair", KrakenRefused, KrakenRefused, Refusal.PAIR),
    ("EOrder:Rate limit exceeded", RateLimited, RateLimited, None),
    ("EOrder:Domain rate limit exceeded", RateLimited, RateLimited, None),
    ("EOrder:Orders limit exceeded", KrakenRefused, KrakenRefused, Refusal.ORDERS_LIMIT),
    ("EOrder:Positions limit exceeded", KrakenRefused, KrakenRefused, Refusal.ORDERS_LIMIT),
    ("EOrder:Scheduled orders limit exceeded", KrakenRefused, KrakenRefused, Refusal.ORDERS_LIMIT),
    ("EOrder:Insufficient funds", KrakenRefused, KrakenRefused, Refusal.FUNDS),
    ("EOrder:Insufficient margin", KrakenRefused, KrakenRefused, Refusal.FUNDS),
    ("EOrder:Order minimum not met", KrakenRefused, KrakenRefused, Refusal.MINIMUM),
    ("EOrder:Cost minimum not met", KrakenRefused, KrakenRefused, Refusal.MINIMUM),
    ("EOrder:Invalid price", KrakenRefused, KrakenRefused, Refusal.PRICE),
    ("EOrder:Invalid price:XBTUSD price can only be specified up to 1 decimals.", KrakenRefused, KrakenRefused, Refusal.PRICE),
    ("EOrder:Tick size check failed", KrakenRefused, KrakenRefused, Refusal.PRICE),
    ("EOrder:Invalid order", KrakenRefused, KrakenRefused, Refusal.ARGUMENTS),
    ("EOrder:Unknown order", KrakenRefused, KrakenRefused, Refusal.UNKNOWN_ORDER),
    ("EOrder:Unknown position", KrakenRefused, KrakenRefused, Refusal.UNKNOWN_ORDER),
    ("EOrder:Post only order", KrakenRefused, KrakenRefused, Refusal.POST_ONLY),
    ("EOrder:Margin allowance exceeded", KrakenRefused, KrakenRefused, Refusal.ACCOUNT),
    ("EOrder:Trading agreement required", KeyRefused, KeyRefused, None),
    ("ESession:Invalid session", TokenRefused, TokenRefused, None),
    ("ETrade:User Locked", KeyRefused, KeyRefused, None),
    ("ETrade:Locked", KeyRefused, KeyRefused, None),
    ("EOrder:A sentence of next year", KrakenRefused, KrakenUnknown, Refusal.ARGUMENTS),
    ("a bare sentence", KrakenRefused, KrakenUnknown, Refusal.ARGUMENTS),
]


@pytest.mark.parametrize("write", [False, True], ids=["read", "write"])
@pytest.mark.parametrize(("code", "read_kind", "write_kind", "refusal"), CASES, ids=[case[0] for case in CASES])
def test_each_string(code: str, read_kind: Kind, write_kind: Kind, refusal: Refusal | None, write: bool) -> None:
    error = error_of([code], "AddOrder", write=write)
    assert type(error) is (write_kind if write else read_kind)
    if isinstance(error, KrakenRefused):
        assert error.refusal is refusal and error.codes == (code,)


def test_every_known_string_has_a_case() -> None:
    told = [case[0] for case in CASES]
    assert [known for known in MEANINGS if not any(code.startswith(known) for code in told)] == []


def test_the_branches_of_the_tree_are_those_of_the_product() -> None:
    assert issubclass(KrakenRefused, Rejected) and not issubclass(KrakenRefused, NotNow)
    assert all(issubclass(kind, NotNow) for kind in (RateLimited, MarketMode, NonceRefused, TokenRefused))
    assert issubclass(KrakenUnknown, OutcomeUnknown) and issubclass(KrakenUnavailable, Transient)
    assert issubclass(KeyRefused, Fatal)


def test_of_several_errors_the_doubtful_one_decides() -> None:
    codes = ["EOrder:Insufficient funds", "EService:Unavailable"]
    assert isinstance(error_of(codes, "AddOrder", write=True), KrakenUnknown)
    assert isinstance(error_of(["EGeneral:Invalid arguments", "EAPI:Invalid key"], "AddOrder", write=False), KeyRefused)


@pytest.mark.parametrize(("until", "wait"), [("1000060", 60), ("999000", 1), ("9999999999", 900), ("soon", 10), ("", 10)])
def test_throttled_waits_until_its_time_and_never_for_ever(until: str, wait: float) -> None:
    error = error_of([f"EService:Throttled: {until}"], "OHLC", write=False, now_seconds=1_000_000)
    assert isinstance(error, RateLimited) and error.wait_seconds == wait and not error.engine


def test_the_engines_limit_is_told_from_the_keys() -> None:
    engine = error_of(["EOrder:Rate limit exceeded"], "AddOrder", write=True)
    assert isinstance(engine, RateLimited) and engine.engine
