"""Prompts are files beside this one, NAME.md: the system's part, a line of three equals signs, the question's part.

`{{name}}` is filled in, once, and what is filled in is never read for further names. Every name must be given and every given
name must be there: a prompt with a hole is a bug, not a worse prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tasks.ai.dialogue import Unusable

PROMPTS = ("analyse", "generate", "revise", "review", "repair")
# About forty thousand tokens: more than any honest night needs, less than any cap allows.
CHARS_MAX = 160_000
_DIVIDER = "\n===\n"
_NAME = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt filled in: what the system says, and what is asked."""

    system: str
    user: str


@cache
def template(name: str) -> str:
    """The text of a prompt file. Raises KeyError for one that does not exist: names are ours, never a model's."""
    if name not in PROMPTS:
        raise KeyError(name)
    return (Path(__file__).parent / f"{name}.md").read_text(encoding="utf-8")


def names(name: str) -> frozenset[str]:
    """What a prompt must be given."""
    return frozenset(_NAME.findall(template(name)))


def filled(name: str, given: Mapping[str, object]) -> Prompt:
    """The prompt with every name in its place. Raises ValueError for a name too few or too many, Unusable if too long."""
    if names(name) != given.keys():
        missing, extra = sorted(names(name) - given.keys()), sorted(given.keys() - names(name))
        raise ValueError(f"prompt {name}: missing {missing}, not used {extra}")
    parts = template(name).split(_DIVIDER)
    if len(parts) != 2:
        raise ValueError(f"prompt {name} needs one line of three equals signs between the system's part and the question")
    system, user = (_NAME.sub(lambda found: str(given[found[1]]), part).strip() for part in parts)
    if len(system) + len(user) > CHARS_MAX:
        raise Unusable(f"prompt {name} is {len(system) + len(user)} characters long; at most {CHARS_MAX} are sent", final=True)
    return Prompt(system=system, user=user)
