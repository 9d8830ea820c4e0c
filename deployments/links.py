"""How the links of a home stand as far as can be known from outside its shell."""

from __future__ import annotations

from collections.abc import Sequence

from deployments.standing import prefect_of
from shell.companion import LinkHealth
from shell.home import Home

PREFECT = "Prefect"


def stored_links(home: Home) -> Sequence[LinkHealth]:
    """Prefect, which tells anybody that it is well. What only the shell knows (the exchange, Telegram) its own page shows."""
    found = prefect_of(home)
    if found["reachable"]:
        return (LinkHealth(name=PREFECT, ok=True, sentence=f"answers at {found['url']}"),)
    told = "does not answer" if found["url"] else "was never started in this home"
    return (LinkHealth(name=PREFECT, ok=False, sentence=f"{told}; trading does not depend on it: `brain up` starts it"),)
