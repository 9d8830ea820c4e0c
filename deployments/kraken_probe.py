"""A short look at Kraken from outside the shell: does it answer, does its clock agree with ours, does the key open the account.

The key is tried only while no shell runs: two processes with one key spoil each other's nonces.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shell.clock import CLOCK_DIFFERENCE_TOLD, SystemClock
from shell.config import Settings
from shell.errors import BrainError
from shell.exchange.kraken.addresses import ENVIRONMENT, addresses_of
from shell.exchange.kraken.limiter import Limiter
from shell.exchange.kraken.limits import LIMITS, Verification
from shell.exchange.kraken.nonce import NonceSource, nonce_file
from shell.exchange.kraken.pace import RealPace
from shell.exchange.kraken.private import PrivateApi
from shell.exchange.kraken.public import PublicApi
from shell.exchange.kraken.rest import RestClient
from shell.exchange.kraken.signing import Credentials
from shell.secrets import Secrets, read_environment

CLOCK_SECONDS_MAX = CLOCK_DIFFERENCE_TOLD.total_seconds()
PROBE_SECONDS = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What was found. `behind_seconds` is how far this machine's clock is behind Kraken's, to a second; None if unknown."""

    reachable: bool
    sentence: str
    behind_seconds: float | None = None
    balances: int | None = None

    @property
    def clock_agrees(self) -> bool:
        return self.behind_seconds is not None and abs(self.behind_seconds) <= CLOCK_SECONDS_MAX


def probe_kraken(
    settings: Settings, environ: Mapping[str, str], env_file: Path, *, secrets: Secrets | None = None,
    nonces: Path | None = None, seconds: float = PROBE_SECONDS,
) -> Probe:
    """Ask Kraken for the time, and with `secrets` and a folder for `nonces` for the balances. Never raises ours."""

    async def within() -> Probe:
        async with asyncio.timeout(seconds):
            return await _probe(settings, environ, env_file, secrets, nonces)

    try:
        return asyncio.run(within())
    except TimeoutError:
        return Probe(reachable=False, sentence=f"Kraken did not answer within {seconds:.0f} s")
    except BrainError as error:
        return Probe(reachable=False, sentence=str(error))


async def _probe(
    settings: Settings, environ: Mapping[str, str], env_file: Path, secrets: Secrets | None, nonces: Path | None
) -> Probe:
    clock, pace = SystemClock(), RealPace()
    addresses = addresses_of(settings.kraken, read_environment(environ, env_file, ENVIRONMENT.values()))
    credentials, source = None, None
    if secrets is not None and nonces is not None and secrets.kraken_api_key and secrets.kraken_api_secret:
        credentials = Credentials(key=secrets.kraken_api_key, secret=secrets.kraken_api_secret)
        source = NonceSource(nonce_file(nonces, secrets.kraken_api_key), clock)
    limiter = Limiter(LIMITS[Verification(settings.kraken.verification)], pace)
    async with RestClient(
        addresses, clock=clock, pace=pace, limiter=limiter, credentials=credentials, nonces=source
    ) as rest:
        api = PublicApi(rest)
        before = clock.now()
        theirs = await api.time()
        behind = (theirs - before).total_seconds()
        behind = 0.0 if abs(behind) < 1 else behind  # Kraken tells whole seconds
        told = f"{addresses.rest} answers"
        if credentials is None:
            return Probe(reachable=True, sentence=told, behind_seconds=behind)
        try:
            balances = await PrivateApi(rest, await api.names()).balances()
        except BrainError as error:
            refused = f"{told}, but the key does not open the account: {error}"
            return Probe(reachable=True, sentence=refused, behind_seconds=behind)
        return Probe(
            reachable=True, sentence=f"{told}, and the key reads {len(balances)} balances", behind_seconds=behind,
            balances=len(balances),
        )
