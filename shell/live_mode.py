"""What stands between these settings and trading real money."""

from __future__ import annotations

from shell.config import Settings
from shell.secrets import Secrets


def live_blockers(settings: Settings, secrets: Secrets, *, host_isolated: bool = False) -> list[str]:
    """One phrase for each thing that is missing for `mode = "live"`; empty only when nothing is.

    `host_isolated` says that the operating system confines the strategy host (no files, no network) on this machine.
    """
    missing = ["the connection to the exchange is not part of this version"]
    if not host_isolated:
        missing.append("the strategy host is not confined by the operating system")
    if secrets.kraken_api_key is None:
        missing.append("KRAKEN_API_KEY is not set")
    if secrets.kraken_api_secret is None:
        missing.append("KRAKEN_API_SECRET is not set")
    if not settings.telegram.owner_ids:
        missing.append("[telegram] owner_ids names nobody who may approve or stop it")
    return missing
