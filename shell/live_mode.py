"""What stands between these settings and trading real money."""

from __future__ import annotations

from shell.config import Settings
from shell.secrets import Secrets


def live_blockers(settings: Settings, secrets: Secrets, *, isolation_gap: str | None = None) -> list[str]:
    """One phrase for each thing that is missing for `mode = "live"`; empty only when nothing is.

    `isolation_gap` is the sentence of `shell.host.isolation.isolation_is_complete` for this machine and user, empty where
    the operating system confines strategies; None while nobody has tried it. The shell tries it at every start.
    """
    missing = []
    if isolation_gap is None:
        missing.append("nobody has tried yet how the operating system confines strategies here")
    elif isolation_gap:
        missing.append(isolation_gap)
    if secrets.kraken_api_key is None:
        missing.append("KRAKEN_API_KEY is not set")
    if secrets.kraken_api_secret is None:
        missing.append("KRAKEN_API_SECRET is not set")
    if not settings.telegram.owner_ids:
        missing.append("[telegram] owner_ids names nobody who may approve or stop it")
    return missing
