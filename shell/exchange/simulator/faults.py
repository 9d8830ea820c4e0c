"""Faults on purpose: by a plan that names them, or by a seed that draws them. Off unless asked for.

A plan is JSON: `{"seed": 7, "rate": 0.1, "kinds": ["lost_after", ...], "faults": [{"kind": "lost_after", "on": "AddOrder",
"skip": 0, "times": 1, "seconds": 5}]}`. `faults` strike in their order at the place `on` names (an endpoint, a WebSocket
method or channel, `*` for every one of the kind's usual places) after `skip` chances, `times` times, each with probability
`chance`. With `rate` every chance of every kind in `kinds` draws besides.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any

from shell.errors import UsageError
from shell.exchange.simulator.precision import number


class Kind(str, Enum):
    """What can go wrong."""

    LOST_BEFORE = "lost_before"  # the request never arrives: the connection is cut, or hangs
    LOST_AFTER = "lost_after"  # it takes effect and the answer is lost
    LATE = "late"  # it is admitted, takes effect `seconds` later, and the answer is lost
    LATE_ARRIVAL = "late_arrival"  # it arrives `seconds` later, when its nonce may be too old, and the answer is lost
    HTML_BEFORE = "html_before"  # `status` (502, 504, 520) with HTML, nothing happened
    HTML_AFTER = "html_after"  # the same, and it took effect
    DELAY = "delay"  # the answer takes `seconds` of real time
    ERROR_BEFORE = "error_before"  # `error` is answered, nothing happened
    ERROR_AFTER = "error_after"  # `error` is answered, and it took effect
    PARTIAL_FILL = "partial_fill"  # the next taker gets `share` of its volume
    MAINTENANCE_BEFORE = "maintenance_before"  # maintenance of `seconds` begins as the request arrives
    MAINTENANCE_AFTER = "maintenance_after"  # ... and as its answer leaves
    CLOCK_STEP = "clock_step"  # the exchange's clock jumps by `seconds`
    TOKEN_EXPIRY = "token_expiry"  # every WebSocket token becomes void
    WS_DROP = "ws_drop"  # the connection is cut at a message
    WS_SILENCE = "ws_silence"  # nothing is sent for `seconds` of real time, heartbeats neither
    WS_LOSE = "ws_lose"  # a message is lost: a hole in the sequence
    WS_DUPLICATE = "ws_duplicate"  # a message comes twice
    WS_REORDER = "ws_reorder"  # a message comes after the next one
    WS_RACE = "ws_race"  # the events of a request come before its answer
    BAD_CHECKSUM = "bad_checksum"  # a book's checksum is wrong


WRITES = ("AddOrder", "AddOrderBatch", "AmendOrder", "EditOrder", "CancelOrder", "CancelOrderBatch", "CancelAll")
WS_WRITES = ("add_order", "amend_order", "edit_order", "cancel_order", "cancel_all", "batch_add", "batch_cancel")
_STREAMS = ("executions", "balances")
_REQUESTS = (*WRITES, *WS_WRITES)
USUAL: Mapping[Kind, Sequence[str]] = {
    **dict.fromkeys(Kind, _REQUESTS),
    Kind.WS_DROP: (*_STREAMS, *WS_WRITES),
    Kind.WS_SILENCE: (*_STREAMS, "ticker", "book", "trade", "ohlc"),
    **dict.fromkeys((Kind.WS_LOSE, Kind.WS_DUPLICATE, Kind.WS_REORDER), _STREAMS),
    Kind.WS_RACE: WS_WRITES,
    Kind.BAD_CHECKSUM: ("book",),
}
REST_KINDS = frozenset(Kind) - {
    Kind.WS_DROP, Kind.WS_SILENCE, Kind.WS_LOSE, Kind.WS_DUPLICATE, Kind.WS_REORDER, Kind.WS_RACE, Kind.BAD_CHECKSUM,
}
METHOD_KINDS = (REST_KINDS - {Kind.HTML_BEFORE, Kind.HTML_AFTER}) | {Kind.WS_DROP, Kind.WS_RACE}
MESSAGE_KINDS = frozenset(
    {Kind.WS_DROP, Kind.WS_SILENCE, Kind.WS_LOSE, Kind.WS_DUPLICATE, Kind.WS_REORDER, Kind.BAD_CHECKSUM, Kind.DELAY}
)
ERRORS_BEFORE = (
    "EAPI:Rate limit exceeded", "EAPI:Invalid nonce", "EOrder:Rate limit exceeded", "EService:Unavailable",
    "EService:Busy", "EGeneral:Internal error", "EService:Deadline elapsed", "EGeneral:Too many requests",
)
ERRORS_AFTER = ("EService:Unavailable", "EService:Busy", "EService:Timeout", "EGeneral:Internal error")
HTML_STATUSES = (502, 504, 520)


@dataclass(slots=True, kw_only=True)
class Fault:
    """One entry of a plan; what it does not need of the rest it ignores."""

    kind: Kind
    on: str = "*"
    skip: int = 0
    times: int = 1
    chance: float = 1.0
    seconds: Decimal = Decimal(5)
    status: int = 502
    error: str = ""
    share: Decimal = Decimal("0.5")
    hang: bool = False

    def fits(self, kinds: frozenset[Kind], place: str) -> bool:
        """True when this fault may strike at `place`."""
        return self.kind in kinds and (self.on == place or (self.on == "*" and place in USUAL[self.kind]))


@dataclass(slots=True, kw_only=True)
class Plan:
    """What will go wrong, and what did: `struck` lists (moment in ns, kind, place)."""

    seed: int = 0
    rate: float = 0.0
    kinds: tuple[Kind, ...] = ()
    faults: list[Fault] = field(default_factory=list)
    struck: list[tuple[int, str, str]] = field(default_factory=list)
    _chance: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def strike(self, kinds: frozenset[Kind], place: str, now_ns: int) -> Fault | None:
        """The fault that strikes here and now, if one does."""
        found = self._planned(kinds, place) or self._drawn(kinds, place)
        if found is not None:
            self.struck.append((now_ns, found.kind.value, place))
        return found

    def _planned(self, kinds: frozenset[Kind], place: str) -> Fault | None:
        for fault in self.faults:
            if not fault.times or not fault.fits(kinds, place):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.chance < 1 and self._chance.random() >= fault.chance:
                continue
            fault.times -= 1
            return fault
        return None

    def _drawn(self, kinds: frozenset[Kind], place: str) -> Fault | None:
        if not self.rate:
            return None
        fitting = [kind for kind in self.kinds if kind in kinds and place in USUAL[kind]]
        if not fitting or self._chance.random() >= self.rate:
            return None
        kind, chance = self._chance.choice(fitting), self._chance
        errors = ERRORS_AFTER if kind is Kind.ERROR_AFTER else ERRORS_BEFORE
        return Fault(
            kind=kind, on=place, seconds=Decimal(chance.randint(1, 20)), status=chance.choice(HTML_STATUSES),
            error=chance.choice(errors), share=Decimal(chance.randint(0, 9)) / 10, hang=chance.random() < 0.2,
        )


def read_plan(given: Mapping[str, Any]) -> Plan:
    """A plan out of JSON. Raises UsageError that names what is wrong and what is allowed."""
    unknown = given.keys() - {"seed", "rate", "kinds", "faults"}
    if unknown:
        raise UsageError(f"a fault plan has no {', '.join(sorted(unknown))}: seed, rate, kinds and faults are known")
    kinds = tuple(_kind(name) for name in given.get("kinds", [kind.value for kind in Kind] if given.get("rate") else []))
    rate = number(str(given.get("rate", 0)))
    if rate is None or not 0 <= rate <= 1:
        raise UsageError(f"rate {given.get('rate')!r} of a fault plan is no share: 0 to 1 is possible")
    seed = given.get("seed", 0)
    if not isinstance(seed, int):
        raise UsageError(f"seed {seed!r} of a fault plan is no whole number")
    return Plan(seed=seed, rate=float(rate), kinds=kinds, faults=[_fault(each) for each in given.get("faults", [])])


def _fault(given: Any) -> Fault:
    allowed = tuple(Fault.__slots__)
    if not isinstance(given, Mapping) or "kind" not in given or not given.keys() <= set(allowed):
        raise UsageError(f"a fault is an object with kind and perhaps {', '.join(allowed[1:])}, not {given!r}")
    made: dict[str, Any] = {"kind": _kind(given["kind"])}
    for name, convert in (
        ("on", str), ("skip", int), ("times", int), ("chance", float), ("status", int), ("error", str), ("hang", bool),
    ):
        if name in given:
            try:
                made[name] = convert(given[name])
            except (TypeError, ValueError):
                raise UsageError(f"{name} {given[name]!r} of a fault cannot be read") from None
    for name in ("seconds", "share"):
        if name in given:
            value = number(str(given[name]))
            if value is None:
                raise UsageError(f"{name} {given[name]!r} of a fault is no number")
            made[name] = value
    fault = Fault(**made)
    if fault.kind in (Kind.ERROR_BEFORE, Kind.ERROR_AFTER) and not fault.error:
        fault.error = ERRORS_AFTER[0]
    return fault


def _kind(name: Any) -> Kind:
    try:
        return Kind(name)
    except ValueError:
        raise UsageError(f"{name!r} is no fault: {', '.join(kind.value for kind in Kind)} are known") from None
