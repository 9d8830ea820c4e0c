"""How the links of a home stand, for a person: fine, wrong with what to do, or not known from here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shell.companion import LinkHealth
from shell.host.isolation import isolation_is_complete

Links = Callable[[], Sequence[LinkHealth]]

WALL = "strategy's wall"
BOOKS = "books"


def no_links() -> Sequence[LinkHealth]:
    """For a page without a shell beside it: nothing is connected."""
    return ()


def wall_health(isolation: Mapping[str, Any] | None) -> LinkHealth:
    """The wall around strategies as the shell measured it when it last started."""
    if isolation is None:
        return LinkHealth(name=WALL, ok=False, sentence="not measured yet: the shell measures it when it starts")
    gap = isolation_is_complete(isolation)
    return LinkHealth(name=WALL, ok=not gap, sentence=gap or "complete, as measured at the last start")
