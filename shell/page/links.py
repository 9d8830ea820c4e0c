"""How the links of a home stand, for a person: fine, wrong with what to do, or not known from here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from shell.clock import CLOCK_DIFFERENCE_TOLD, parse_moment
from shell.companion import LinkHealth
from shell.host.isolation import isolation_is_complete

Links = Callable[[], Sequence[LinkHealth]]

WALL, SHELL, FEED, PRICES = "strategy's wall", "shell", "Kraken", "prices"
CLOCK = "clock"
# What a running shell says of itself, it says every monitor period (30 s as shipped).
SILENCE_SECONDS_MAX = 180.0
PRICE_SECONDS_MAX = 300.0
LAG_SECONDS_MAX = CLOCK_DIFFERENCE_TOLD.total_seconds()


def no_links() -> Sequence[LinkHealth]:
    """For a page without a shell beside it: nothing is connected."""
    return ()


def live_health(live: Mapping[str, Any] | None, now: datetime) -> list[LinkHealth]:
    """What the shell last said of itself and of what it is connected to. Empty for a home that never had one running live."""
    if live is None:
        return []
    silent = (now - parse_moment(live["at"])).total_seconds()
    said = f"last heard of at {live['at'][:19].replace('T', ' ')} UTC"
    if not live["running"]:
        return [LinkHealth(name=SHELL, ok=False, sentence=f"stopped, {said}: `brain up` starts it")]
    if silent > SILENCE_SECONDS_MAX:
        told = f"{said}, and silent since: look at the terminal or the log of `brain shell`, then start it again"
        return [LinkHealth(name=SHELL, ok=False, sentence=told)]
    errors = live["errors"]["count"]
    slots = live["slots"]
    since = str(live["since"])[:16].replace("T", " ")
    told = f"running since {since} UTC, {slots['done']} slots worked, {slots['missed']} missed"
    rows = [LinkHealth(name=SHELL, ok=not errors, sentence=f"{told}, {errors} errors: see the log" if errors else told)]
    rows += [*exchange_health(live["link"]), _prices(live["price_age_s"])]
    rows += [LinkHealth(name=each["name"], ok=each["ok"], sentence=each["sentence"]) for each in live["beside"]]
    return rows


def exchange_health(link: Mapping[str, Any]) -> tuple[LinkHealth, LinkHealth]:
    """The link to the exchange and the clock, from what the link tells of itself; nothing yet is no connection."""
    return _feed(link), _clock(link.get("lag_seconds"))


def _feed(link: Mapping[str, Any]) -> LinkHealth:
    """REST and WebSocket of the market's side, as the link counts them."""
    if not link.get("up"):
        told = f"no connection: {link.get('reason') or 'none was made yet'}; trading waits, and it is tried again by itself"
        return LinkHealth(name=FEED, ok=False, sentence=told)
    told = f"connected ({link['connections']} times so far)"
    system = link["system"]
    if system in ("", "unknown", "online"):  # the venue has not told its state in the first moments
        return LinkHealth(name=FEED, ok=True, sentence=told)
    return LinkHealth(name=FEED, ok=False, sentence=f"{told}; the exchange says {system}: orders wait until it is online")


def _clock(lag: float | None) -> LinkHealth:
    if lag is None:
        return LinkHealth(name=CLOCK, ok=False, sentence="not compared with Kraken's yet")
    told = f"within {abs(lag):.1f} s of Kraken's"
    return LinkHealth(
        name=CLOCK, ok=abs(lag) <= LAG_SECONDS_MAX,
        sentence=told if abs(lag) <= LAG_SECONDS_MAX else f"{lag:+.1f} s against Kraken's: switch time synchronisation on",
    )


def _prices(ages: Mapping[str, float]) -> LinkHealth:
    if not ages:
        return LinkHealth(name=PRICES, ok=False, sentence="none has come yet")
    symbol, age = max(ages.items(), key=lambda each: each[1])
    told = f"the oldest is {symbol}'s, {age:.0f} s old"
    return LinkHealth(
        name=PRICES, ok=age <= PRICE_SECONDS_MAX, sentence=told if age <= PRICE_SECONDS_MAX else f"{told}: no opening on it"
    )


def wall_health(isolation: Mapping[str, Any] | None) -> LinkHealth:
    """The wall around strategies as the shell measured it when it last started."""
    if isolation is None:
        return LinkHealth(name=WALL, ok=False, sentence="not measured yet: the shell measures it when it starts")
    gap = isolation_is_complete(isolation)
    return LinkHealth(name=WALL, ok=not gap, sentence=gap or "complete, as measured at the last start")
