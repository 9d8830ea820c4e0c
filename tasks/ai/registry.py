"""Which provider a night uses. What this version does not have degrades to `local`, and the night says so."""

from __future__ import annotations

from shell.config import Settings
from tasks.ai.local import LocalProvider
from tasks.ai.provider import Provider


def provider_for(settings: Settings) -> tuple[Provider, str]:
    """The provider to use and, when it is not the one asked for, a sentence that says so."""
    asked = settings.ai.provider
    if asked == "local":
        return LocalProvider(), ""
    return LocalProvider(), f"provider {asked} comes with a later version: local searched instead"
