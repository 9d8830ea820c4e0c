"""Calls of models: a row before each request, completed once; predictions made once a night, graded once.

A reservation is made in the transaction that checks the caps, so that they hold across restarts and flows side by side. The
month is the machine's own, in New York: virtual nights of a rehearsal spend real money, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from shell.clock import NEW_YORK, local_day
from shell.config_ai import AiConfig
from shell.errors import NotNow, Rejected
from shell.model_calls import (
    ATTEMPTS_MAX,
    CallRequest,
    CallState,
    ModelCall,
    Spending,
    Usage,
    price_of,
    require_affordable,
    reserve_usd,
    spent,
    usage_usd,
)
from shell.model_costs import CallCost
from shell.predictions import Comparison, Grade, Prediction
from shell.store.canonical import canonical
from shell.store.database import Database
from shell.store.events import EventLog
from shell.store.metadata import table_of
from shell.store.tables_calls import ModelCallRow, PredictionRow

CALLS, PREDICTIONS = table_of(ModelCallRow), table_of(PredictionRow)


class ModelCalls:
    """Every row is added once, completed once, and never removed."""

    def __init__(self, database: Database, events: EventLog) -> None:
        self._database = database
        self._events = events

    # -- money ----------------------------------------------------------------------------------------------------

    def reserve(self, ai: AiConfig, asked: CallRequest, at: datetime, paid_at: datetime) -> ModelCall:
        """Write the call down before it is made; a question of this night that is answered already is returned as it is.

        Raises NotNow when its price is not known, a cap would be broken, or it was sent ATTEMPTS_MAX times.
        """
        usd = reserve_usd(price_of(ai, asked.model), asked.input_tokens, asked.output_tokens_max)
        with self._database.transaction(durable=True) as connection:
            before = self._of_slot(connection, asked.night, asked.slot)
            for call in before:
                if call.state is CallState.ANSWERED:
                    return call
            if len(before) >= ATTEMPTS_MAX:
                raise NotNow(f"{asked.slot} of {asked.night} was sent {len(before)} times without an answer: not again")
            require_affordable(ai, self.spending(ai, asked.night, paid_at), usd)
            call = ModelCall(
                call_id=f"{asked.night}/{asked.slot}/{len(before) + 1}", attempt=len(before) + 1, asked=asked,
                state=CallState.RESERVED, reserved_usd=usd, at=at, paid_at=paid_at,
            )
            number = connection.execute(select(func.coalesce(func.max(CALLS.c.number), 0))).scalar_one() + 1
            connection.execute(insert(CALLS).values(number=number, **_values(call)))
            payload = {"call": call.call_id, "request": asked.request_hash, "model": asked.model, "usd": str(usd)}
            self._events.chain(connection).append("ai_reserved", at, payload, "main")
        return call

    def settle(
        self, ai: AiConfig, call_id: str, state: CallState, at: datetime, *, usage: Usage | None = None,
        reply: Mapping[str, Any] | None = None, error: str = "",
    ) -> ModelCall:
        """Complete a call. Without a usage a FREE one cost nothing and any other what was reserved.

        The same again changes nothing; raises Rejected for another outcome than the recorded one, or a call nobody reserved.
        """
        with self._database.transaction(durable=True) as connection:
            call = self.get(call_id)
            if call.state is not CallState.RESERVED:
                if (call.state, canonical(call.reply), call.usage) != (state, canonical(reply), usage):
                    raise Rejected(f"{call_id} is settled already, with another outcome")
                return call
            if usage is not None:
                cost = usage_usd(price_of(ai, call.asked.model), usage)
            else:
                cost = Decimal(0) if state is CallState.FREE else call.reserved_usd
            connection.execute(
                update(CALLS).where(CALLS.c.call_id == call_id).values(
                    state=state.value, cost_usd=cost, usage=None if usage is None else asdict(usage),
                    reply=None if reply is None else dict(reply), error=error,
                )
            )
            payload = {"call": call_id, "state": state.value, "usd": str(cost)}
            self._events.chain(connection).append("ai_settled", at, payload, "main")
            return self.get(call_id)

    def spending(self, ai: AiConfig, night: str, paid_at: datetime) -> Spending:
        """The money of a night and of the calendar month of `paid_at`."""
        month = f"{local_day(paid_at, NEW_YORK):%Y-%m}"
        statement = select(CALLS.c.reserved_usd, CALLS.c.cost_usd).where(CALLS.c.month == month)
        with self._database.reading() as connection:
            usd = [row.reserved_usd if row.cost_usd is None else row.cost_usd for row in connection.execute(statement)]
        return spent(ai, night, month, self.list(night), sum(usd, Decimal(0)))

    # -- rows -----------------------------------------------------------------------------------------------------

    def get(self, call_id: str) -> ModelCall:
        """Raises Rejected for one that does not exist."""
        with self._database.reading() as connection:
            row = connection.execute(select(CALLS).where(CALLS.c.call_id == call_id)).first()
        if row is None:
            raise Rejected(f"there is no call {call_id}")
        return _call_of(row)

    def list(self, night: str | None = None) -> Sequence[ModelCall]:
        """Calls of one night, or all, in the order they were reserved."""
        statement = select(CALLS).order_by(CALLS.c.number)
        if night is not None:
            statement = statement.where(CALLS.c.night == night)
        with self._database.reading() as connection:
            return [_call_of(row) for row in connection.execute(statement)]

    def costs(self) -> Sequence[CallCost]:
        """The money of every call, in the order they were reserved; requests and replies, which are long, are not read."""
        with self._database.reading() as connection:
            return [_cost_of(row) for row in connection.execute(select(*_COST_COLUMNS).order_by(CALLS.c.number))]

    def _of_slot(self, connection: Connection, night: str, slot: str) -> Sequence[ModelCall]:
        where = (CALLS.c.night == night) & (CALLS.c.slot == slot)
        return [_call_of(row) for row in connection.execute(select(CALLS).where(where).order_by(CALLS.c.attempt))]

    # -- predictions ----------------------------------------------------------------------------------------------

    def predict(self, prediction: Prediction) -> Prediction:
        """Keep a night's prediction; the first one of a night stays and is returned."""
        with self._database.transaction() as connection:
            row = connection.execute(select(PREDICTIONS).where(PREDICTIONS.c.night == prediction.night)).first()
            if row is not None:
                return _prediction_of(row)
            values = {name: getattr(prediction, name) for name in _PREDICTION_NAMES}
            values |= {"refuted_if": prediction.refuted_if.value, "grade": prediction.grade.value}
            connection.execute(insert(PREDICTIONS).values(**values))
            payload = {
                "night": prediction.night, "kind": prediction.kind, "metric": prediction.metric,
                "refuted_if": prediction.refuted_if.value, "bound": prediction.bound, "due_at": prediction.due_at,
            }
            self._events.chain(connection).append("prediction", prediction.made_at, payload, "main")
        return prediction

    def grade(self, night: str, grade: Grade, value: float | None, at: datetime) -> None:
        """Grade a prediction, once: a later grade changes nothing."""
        open_one = (PREDICTIONS.c.night == night) & (PREDICTIONS.c.grade == Grade.OPEN.value)
        with self._database.transaction() as connection:
            done = connection.execute(
                update(PREDICTIONS).where(open_one).values(grade=grade.value, value=value, graded_at=at)
            )
            if done.rowcount:
                payload = {"night": night, "grade": grade.value, "value": value}
                self._events.chain(connection).append("prediction_graded", at, payload, "main")

    def predictions(self) -> Sequence[Prediction]:
        """Every prediction, oldest first."""
        with self._database.reading() as connection:
            return [_prediction_of(row) for row in connection.execute(select(PREDICTIONS).order_by(PREDICTIONS.c.night))]


_ASKED_NAMES = (
    "night", "slot", "role", "provider", "model", "request_hash", "input_tokens", "output_tokens_max", "seed",
)
_COST_COLUMNS = (
    CALLS.c.night, CALLS.c.month, CALLS.c.role, CALLS.c.model, CALLS.c.state, CALLS.c.reserved_usd, CALLS.c.cost_usd,
    CALLS.c.usage,
)
_PREDICTION_NAMES = (
    "night", "kind", "version", "hypothesis", "metric", "bound", "baseline", "made_at", "due_at", "value", "graded_at",
)


def _values(call: ModelCall) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(call.asked, name) for name in _ASKED_NAMES}
    return values | {
        "call_id": call.call_id, "attempt": call.attempt, "request": dict(call.asked.request), "state": call.state.value,
        "reserved_usd": call.reserved_usd, "error": call.error, "at": call.at, "paid_at": call.paid_at,
        "month": f"{local_day(call.paid_at, NEW_YORK):%Y-%m}",
    }


def _call_of(row: Any) -> ModelCall:
    return ModelCall(
        call_id=row.call_id, attempt=row.attempt,
        asked=CallRequest(request=row.request, **{name: getattr(row, name) for name in _ASKED_NAMES}),
        state=CallState(row.state), reserved_usd=row.reserved_usd, at=row.at, paid_at=row.paid_at, cost_usd=row.cost_usd,
        usage=None if row.usage is None else Usage(**row.usage), reply=row.reply, error=row.error,
    )


def _cost_of(row: Any) -> CallCost:
    return CallCost(
        night=row.night, month=row.month, role=row.role, model=row.model, state=CallState(row.state),
        usd=row.reserved_usd if row.cost_usd is None else row.cost_usd,
        usage=Usage() if row.usage is None else Usage(**row.usage),
    )


def _prediction_of(row: Any) -> Prediction:
    return Prediction(
        refuted_if=Comparison(row.refuted_if), grade=Grade(row.grade),
        **{name: getattr(row, name) for name in _PREDICTION_NAMES},
    )
