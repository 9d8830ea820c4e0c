"""What is told about the money for models: the month's is short, or spent, or a model has no price. Each once a month."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from shell.config_ai import AiConfig
from shell.errors import NotNow
from shell.model_calls import MonthSpent, NoPrice, Spending, Tier
from shell.store.store import Store

TOLD_FACT = "budget.told"


class Notify(Protocol):
    """`Shell.notify`."""

    def __call__(self, kind: str, severity: str, text: str, now: datetime, *, action: str = "", key: str = "") -> None: ...


class BudgetNews:
    """Remembers in the store what was told this month, so that neither a night nor a restart repeats it."""

    def __init__(self, store: Store, ai: AiConfig, notify: Notify) -> None:
        self._store, self._ai, self._notify = store, ai, notify

    def of_spending(self, spending: Spending, now: datetime) -> None:
        """The tier that the month's money leaves, unless it is all of it."""
        left = f"${spending.month_usd:.2f} of ${spending.month_usd_max:.2f} for models is spent in {spending.month}"
        match spending.tier:
            case Tier.THRIFTY:
                how = f"{self._ai.generate_model} does every role, without revisions"
                self._tell("thrifty", f"{left}: {how}, until the month ends", spending.month, now)
            case Tier.LOCAL:
                self._tell("local", f"{left}: nights go on without a model until the month ends", spending.month, now)
            case Tier.FULL:
                pass

    def of_refusal(self, refusal: NotNow, model: str, spending: Spending, now: datetime) -> None:
        """A call that was refused for its price, or for the month's cap. Others are the night's report's to tell."""
        if isinstance(refusal, NoPrice):
            self._tell(
                f"price:{model}", str(refusal), spending.month, now, action="add its price, or name another model in [ai]"
            )
        elif isinstance(refusal, MonthSpent):
            self._tell("local", f"{refusal}: nights go on without a model", spending.month, now)

    def _tell(self, what: str, text: str, month: str, now: datetime, *, action: str = "") -> None:
        with self._store.transaction():
            known = self._store.facts.get(TOLD_FACT) or {}
            told = list(known.get("told", ())) if known.get("month") == month else []
            if what in told:
                return
            self._store.facts.set(TOLD_FACT, {"month": month, "told": [*told, what]}, now)
            self._notify("budget", "warning", text, now, action=action)
