"""An order as the books know it when a process starts: what a gateway takes up before anything else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shell.money import BaseQty
from shell.orders import ApprovedOrder, OrderState


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownOrder:
    """`order_id` is None where no venue is known to have taken it; `fills` are the ids of the fills that are booked."""

    approved: ApprovedOrder
    order_id: str | None
    sent_at: datetime
    state: OrderState
    filled: BaseQty
    fills: frozenset[str]
    reason: str = ""
