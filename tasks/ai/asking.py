"""One role's conversation with a model: ask, see why it stopped, read the answer, and have it mended at most once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from shell.errors import NotNow
from tasks.ai.budget import Purse
from tasks.ai.dialogue import CUT_OFF, FINISHED, PAUSED, REFUSAL, CallFailed, Question, Reply, Role, Turn, Unusable
from tasks.ai.prompts import filled
from tasks.ai.sections import named

A = TypeVar("A")

FAULT_CHARS_MAX = 400

# Why a role is done without a model: no money, no reply, no use.
FAILURES = (NotNow, CallFailed, Unusable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What every question of one role has in common."""

    purse: Purse
    role: Role
    model: str
    output_tokens_max: int

    def answer(
        self, slot: str, prompt: str, given: Mapping[str, object], read: Callable[[str], A],
        schema: Mapping[str, Any] | None = None,
    ) -> A:
        """The model's answer as `read` makes it. Raises one of FAILURES.

        Its usage is booked before anything is read. An answer that was cut off or is of another form is mended once, at a
        price of its own; a refusal is not argued with.
        """
        text = filled(prompt, given)
        question = Question(
            role=self.role, model=self.model, system=text.system, turns=(Turn(by="user", content=text.user),),
            output_tokens_max=self.output_tokens_max, schema=schema if self.purse.structured else None,
        )
        reply = self._whole(slot, question)
        try:
            return read(_finished(reply))
        except Unusable as fault:
            if fault.final:
                raise
            mended = self._whole(f"{slot}.repair", _repair(question, reply, str(fault)))
            return read(_finished(mended))

    def _whole(self, slot: str, question: Question) -> Reply:
        """A reply to its end: one that the provider paused is gone on with, once."""
        reply = self.purse.ask(slot, question)
        if reply.stop_reason != PAUSED:
            return reply
        turns = (*question.turns, Turn(by="assistant", content=reply.content))
        rest = self.purse.ask(f"{slot}.more", replace(question, turns=turns))
        return replace(rest, text=reply.text + rest.text)


def _finished(reply: Reply) -> str:
    if reply.stop_reason in FINISHED:
        return reply.text
    if reply.stop_reason == CUT_OFF:
        raise Unusable(f"it was cut off after {reply.usage.output_tokens} tokens, the most it may have: be shorter")
    if reply.stop_reason == REFUSAL:
        raise Unusable("the model refused to answer", final=True)
    raise Unusable(f"the model stopped with {reply.stop_reason!r}"[:120], final=True)


def _repair(question: Question, reply: Reply, fault: str) -> Question:
    """The question again, with the answer and what is wrong with it. A text that is empty cannot be sent as a turn."""
    again = Turn(by="user", content=filled("repair", {"fault": named(fault, FAULT_CHARS_MAX)}).user)
    before = (*question.turns, Turn(by="assistant", content=reply.text.rstrip())) if reply.text.strip() else question.turns
    if before is question.turns:
        first = question.turns[0]
        return replace(question, turns=(replace(first, content=f"{first.content}\n\n{again.content}"),))
    return replace(question, turns=(*before, again))
