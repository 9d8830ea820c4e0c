"""A question to a model and its reply as values, and what a source of replies is: a provider's API, or a record of one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Protocol

from shell.errors import Rejected, Transient
from shell.model_calls import Usage
from shell.store.canonical import canonical

# Why a model stopped, as the Messages API names it.
FINISHED = ("end_turn", "stop_sequence")
CUT_OFF = "max_tokens"
REFUSAL = "refusal"
PAUSED = "pause_turn"


class Role(StrEnum):
    ANALYSE = "analyse"
    GENERATE = "generate"
    REVIEW = "review"


class CallFailed(Transient):
    """A call brought no reply. `free` is true when the provider refused it before any work was done: it cost nothing."""

    def __init__(self, message: str, *, free: bool) -> None:
        self.free = free
        super().__init__(message)


class Unusable(Rejected):
    """A model answered, and not with what was asked. `final` is true when asking it to mend the answer would be pointless."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        self.final = final
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message. `content` is text, or the blocks of an earlier reply as they came."""

    by: str
    content: str | tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, the same for every provider. `schema` binds the reply to JSON of that shape where that is possible."""

    role: Role
    model: str
    system: str
    turns: tuple[Turn, ...]
    output_tokens_max: int
    schema: Mapping[str, Any] | None = None

    def request(self) -> dict[str, Any]:
        """The body of a Messages API request, as JSON values. No sampling arguments: current models refuse them."""
        body: dict[str, Any] = {
            "model": self.model, "max_tokens": self.output_tokens_max, "system": self.system,
            "messages": [
                {"role": turn.by, "content": turn.content if isinstance(turn.content, str) else [*map(dict, turn.content)]}
                for turn in self.turns
            ],
        }
        if self.schema is not None:
            body["output_config"] = {"format": {"type": "json_schema", "schema": dict(self.schema)}}
        return body

    @property
    def hash(self) -> str:
        """The identity of the request: sha256 of its canonical JSON."""
        return hashlib.sha256(canonical(self.request()).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back: the text, the blocks it came in, why the model stopped, and what it used."""

    text: str
    stop_reason: str
    model: str
    usage: Usage
    content: tuple[Mapping[str, Any], ...] = ()
    request_id: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON values, as they are stored."""
        return {**asdict(self), "content": [dict(block) for block in self.content]}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Reply:
        """The reply that `as_dict` wrote."""
        return cls(**{**stored, "usage": Usage(**stored["usage"]), "content": tuple(stored["content"])})


class Models(Protocol):
    """Where replies come from. `structured` tells whether a schema can be sent along."""

    name: str
    structured: bool

    def count(self, question: Question) -> int:
        """Tokens of the whole input. Raises CallFailed."""

    def ask(self, question: Question) -> Reply:
        """One call, from start to end. Raises CallFailed when there is no reply."""
