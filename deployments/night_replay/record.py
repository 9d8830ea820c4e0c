"""What the database holds of the models of one attempt at a night."""

from __future__ import annotations

from shell.model_calls import CallState, Tier
from shell.store.model_roles import REFUSED, ROLE
from shell.store.night_inputs import StoredInputs
from shell.store.store import Store
from tasks.ai.recorded import ModelRecord, RoleTold


def record_of(store: Store, stored: StoredInputs, end: int | None) -> ModelRecord:
    """The calls, refusals and roles of one attempt, which ended before fact number `end` (None: it was the last).

    Of what was told twice within an attempt, a night that was cut short and resumed, the later counts.
    """
    begun = int(stored.inputs["events"])
    reserved = {str(each.payload["call"]): each.seq for each in store.events.rows(kind="ai_reserved")}
    calls = [
        call for call in store.model_calls.list(stored.night)
        if call.call_id in reserved and (end is None or reserved[call.call_id] <= end)
    ]
    earlier = frozenset(
        call.asked.slot for call in calls if call.state is CallState.ANSWERED and reserved[call.call_id] <= begun
    )
    roles = store.model_roles.of(stored.night, ROLE, begun, end)
    refusals = store.model_roles.of(stored.night, REFUSED, begun, end)
    return ModelRecord(
        provider=str(stored.inputs["provider"]), calls=calls, before=earlier,
        refusals={str(each.payload["slot"]): str(each.payload["reason"]) for each in refusals},
        roles={
            str(each.payload["place"]): RoleTold(
                provider=str(each.payload["provider"]), tier=Tier(each.payload["tier"]), note=str(each.payload["note"])
            )
            for each in roles
        },
    )
