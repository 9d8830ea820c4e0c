"""What must hold between settings, and what a type cannot say of one. Pure: values in, findings out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from shell.config import AccountConfig, OrchestratorConfig, PaperConfig, RiskConfig, Settings, TelegramConfig
from shell.config_ai import AiConfig
from shell.money import plain
from shell.notices.kinds import KINDS, MUTABLE

_SYMBOL = re.compile(r"[A-Z0-9]{1,15}/[A-Z][A-Z0-9]{1,9}")


class Finding(NamedTuple):
    """One thing that does not hold: the dotted key, its value, what is allowed, and the key it was compared with."""

    key: str
    value: object
    sentence: str
    against: str = ""


def check_risk(risk: RiskConfig) -> Iterator[Finding]:
    """default_trade_pct <= max_trade_pct <= max_position_pct: else a limit could never be reached, or always is."""
    if risk.default_trade_pct > risk.max_trade_pct:
        limit = f"must not be above max_trade_pct ({plain(risk.max_trade_pct)})"
        yield Finding("risk.default_trade_pct", risk.default_trade_pct, limit, "risk.max_trade_pct")
    if risk.max_trade_pct > risk.max_position_pct:
        limit = f"must not be above max_position_pct ({plain(risk.max_position_pct)})"
        yield Finding("risk.max_trade_pct", risk.max_trade_pct, limit, "risk.max_position_pct")


def check_settings(settings: Settings) -> Iterator[Finding]:
    """Everything that involves more than one key, or the world."""
    yield from _check_account(settings.account)
    yield from _check_pair_costs(settings.paper)
    yield from _check_orchestrator(settings.orchestrator)
    if settings.ai.provider == "vertex" and not settings.ai.vertex.project_id:
        yield Finding("ai.vertex.project_id", "", 'provider = "vertex" needs the Google Cloud project', "ai.provider")
    yield from _check_prices(settings.ai)
    yield from _check_telegram(settings.telegram)


def _check_telegram(telegram: TelegramConfig) -> Iterator[Finding]:
    if any(owner <= 0 for owner in telegram.owner_ids):
        yield Finding("telegram.owner_ids", telegram.owner_ids, "numeric ids of people, each above 0")
    for kind in telegram.muted:
        if kind not in MUTABLE:
            known = KINDS.get(kind)
            yield Finding(
                "telegram.muted", kind,
                "is never switched off" if known is not None else f"the kinds are {', '.join(MUTABLE)}",
            )
    if bool(telegram.quiet_from) != bool(telegram.quiet_until):
        yield Finding(
            "telegram.quiet_until", telegram.quiet_until, "quiet hours need both ends, or neither", "telegram.quiet_from"
        )


def _check_account(account: AccountConfig) -> Iterator[Finding]:
    try:
        ZoneInfo(account.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(account.timezone, sorted(available_timezones()), n=1)
        example = near[0] if near else "America/New_York"
        yield Finding("account.timezone", account.timezone, f'an IANA time zone, such as "{example}"')
    for symbol in account.symbols:
        if not _SYMBOL.fullmatch(symbol):
            yield Finding("account.symbols", symbol, "each is written BASE/QUOTE in capitals, such as BTC/USD")
        elif symbol.split("/")[1] != account.quote:
            limit = f'its quote currency must be account.quote, which is "{account.quote}"'
            yield Finding("account.symbols", symbol, limit, "account.quote")
    repeated = sorted({symbol for symbol in account.symbols if account.symbols.count(symbol) > 1})
    for symbol in repeated:
        yield Finding("account.symbols", symbol, "each symbol once")


def _check_pair_costs(paper: PaperConfig) -> Iterator[Finding]:
    seen: set[str] = set()
    for at, pair in enumerate(paper.pairs):
        if not _SYMBOL.fullmatch(pair.symbol):
            yield Finding(f"paper.pairs[{at}].symbol", pair.symbol, "the pair, written BASE/QUOTE, such as BTC/USD")
        elif pair.symbol in seen:
            yield Finding(f"paper.pairs[{at}].symbol", pair.symbol, "each pair once")
        seen.add(pair.symbol)


def _check_prices(ai: AiConfig) -> Iterator[Finding]:
    seen: set[str] = set()
    for at, price in enumerate(ai.prices):
        if not price.complete:
            needs = "needs model, as_of and all five prices: no price is ever guessed"
            yield Finding(f"ai.prices[{at}]", price.model, needs)
        elif price.model in seen:
            yield Finding(f"ai.prices[{at}].model", price.model, "each model once")
        seen.add(price.model)
    if ai.call_usd_max > ai.night_usd_max:
        limit = f"must not be above night_usd_max ({plain(ai.night_usd_max)})"
        yield Finding("ai.call_usd_max", ai.call_usd_max, limit, "ai.night_usd_max")
    if ai.night_usd_max > ai.month_usd_max:
        limit = f"must not be above month_usd_max ({plain(ai.month_usd_max)})"
        yield Finding("ai.night_usd_max", ai.night_usd_max, limit, "ai.month_usd_max")


def _check_orchestrator(orchestrator: OrchestratorConfig) -> Iterator[Finding]:
    if orchestrator.search_pct + orchestrator.selection_pct >= 1:
        left = plain(1 - orchestrator.search_pct)
        limit = f"with search_pct it must stay below 1, here below {left}: the rest is the vault"
        yield Finding("orchestrator.selection_pct", orchestrator.selection_pct, limit, "orchestrator.search_pct")
    if orchestrator.history_days_min > orchestrator.history_days_max:
        limit = f"must not be above history_days_max ({orchestrator.history_days_max})"
        days = orchestrator.history_days_min
        yield Finding("orchestrator.history_days_min", days, limit, "orchestrator.history_days_max")
