"""The exchange's four states and what may be done in each."""

from __future__ import annotations

from enum import Enum

from shell.exchange.simulator.orders import OrderRequest
from shell.exchange.simulator.refusal import CANCEL_ONLY, POST_ONLY_MODE, UNAVAILABLE, Refusal


class SystemState(str, Enum):
    """Kraken's words. Maintenance usually walks maintenance -> cancel_only -> post_only -> online."""

    ONLINE = "online"
    MAINTENANCE = "maintenance"
    CANCEL_ONLY = "cancel_only"
    POST_ONLY = "post_only"

    @property
    def matches(self) -> bool:
        """True when orders fill and stops trigger."""
        return self is SystemState.ONLINE

    def admit(self, request: OrderRequest) -> None:
        """Raises Refusal unless a new order may be placed."""
        match self:
            case SystemState.MAINTENANCE:
                raise Refusal(UNAVAILABLE)
            case SystemState.CANCEL_ONLY:
                raise Refusal(CANCEL_ONLY)
            case SystemState.POST_ONLY if not (request.post_only and request.kind == "limit"):
                raise Refusal(POST_ONLY_MODE)
            case _:
                pass

    def admit_cancel(self) -> None:
        """Raises Refusal unless an order may be cancelled."""
        if self is SystemState.MAINTENANCE:
            raise Refusal(UNAVAILABLE)
