"""The composition behind `brain data backfill`: Kraken's public side, this home's candles."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Any

from shell.clock import SystemClock, monotonic
from shell.exchange.kraken.addresses import ENVIRONMENT, addresses_of
from shell.exchange.kraken.backfill import Backfill, SymbolBackfill
from shell.exchange.kraken.coverage import Coverage
from shell.exchange.kraken.limiter import Limiter
from shell.exchange.kraken.limits import LIMITS, Verification
from shell.exchange.kraken.pace import RealPace
from shell.exchange.kraken.public import PublicApi
from shell.exchange.kraken.rest import RestClient
from shell.home import Home, HomeLock
from shell.market.archive import Archive
from shell.market.pair import parse_symbol
from shell.secrets import read_environment
from shell.settings_file import load_settings
from shell.store.candles import CandleStore
from shell.store.place import open_store

COVERAGE_FILE = "backfill.json"


def fetch(
    home: Home, symbols: Sequence[str], days: int, progress: Callable[[int, int, str], None]
) -> dict[str, Any]:
    """Fetch `days` days of each symbol (none named: the settings') into `home`; returns what was done.

    Raises NotNow when another process writes the home.
    """
    began = monotonic()
    settings = load_settings(home.config, environ=os.environ)
    wanted = tuple(dict.fromkeys(parse_symbol(symbol) for symbol in symbols)) or settings.account.symbols
    clock, pace = SystemClock(), RealPace()
    named = read_environment(os.environ, home.env_file, ENVIRONMENT.values())
    addresses = addresses_of(settings.kraken, named)

    async def run(backfill: Callable[[PublicApi], Backfill]) -> list[SymbolBackfill]:
        limiter = Limiter(LIMITS[Verification(settings.kraken.verification)], pace)
        async with RestClient(addresses, clock=clock, pace=pace, limiter=limiter) as rest:
            api = PublicApi(rest)
            # Every name before the first candle: a misspelt one costs no hours.
            pairs = [names.pair(symbol) for names in [await api.names()] for symbol in wanted]
            now = clock.now()
            return [await backfill(api).run(pair, days, now, progress) for pair in pairs]

    with HomeLock(home), open_store(home) as store:
        coverage = Coverage(home.database.with_name(COVERAGE_FILE))
        candles, archive = CandleStore(store), Archive(home.archive)
        done = asyncio.run(run(lambda api: Backfill(api, candles, archive, coverage)))
    return {
        "source": addresses.rest,
        "days": days,
        "symbols": [each.as_dict() for each in done],
        "seconds": round(monotonic() - began, 3),
    }
