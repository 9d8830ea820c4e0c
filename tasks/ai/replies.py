"""What models answer, read strictly: a night's plan, an author's files, a reviewer's opinion. Anything else is `Unusable`.

A schema sent along binds a reply's shape; whether it could be sent or not, every field is checked here. No text of a model ever
becomes a path, a limit, a tool or a class lower than what the difference shows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shell.predictions import Comparison
from shell.trials.candidate import ChangeClass
from tasks.ai.dialogue import Unusable

NO_CHANGE = "no change"
DECISIONS = (NO_CHANGE, *(each.value for each in ChangeClass))
# Ground truth that a prediction may be about.
METRICS = (
    "total_return_pct", "max_drawdown_pct", "sharpe", "sortino", "trades", "win_rate", "profit_factor", "expectancy", "fees"
)
CODES = ("LEAK", "LOOK_AHEAD", "CONTRACT", "RISK", "ERROR", "OVERFIT")
DUE_DAYS_MAX = 90
TEXT_MAX = 2_000
# All files of one answer together: what a reviewer can be shown whole, with room for the skills it imports.
CODE_MAX = 30_000
SKILLS_MAX = 8
FINDINGS_MAX = 20
LINE_MAX = 100_000
BOUND_MAX = 1e9

_SKILL_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_TAG = re.compile(r'^<(/?)(hypothesis|strategy|skill)(?: name="([^"\n]*)")?>[ \t]*$', re.MULTILINE)
_FENCED = re.compile(r"\A```[a-z]*\n(.*?)\n?```\Z", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a night is for, and what would refute the reason. `change` is None for no change."""

    change: ChangeClass | None
    reasoning: str
    hypothesis: str
    direction: str
    metric: str
    refuted_if: Comparison
    bound: float
    due_days: int

    @property
    def kind(self) -> str:
        return NO_CHANGE if self.change is None else self.change.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Manuscript:
    """An author's files. `skills` are those added or changed, by module name."""

    hypothesis: str
    code: str
    skills: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """One finding of a reviewer. `matters` when the code must not run like this."""

    file: str
    line: int
    code: str
    sentence: str
    matters: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """A reviewer's answer. `change` is None when there was no reviewer; `note` says who read it, or why nobody did."""

    change: ChangeClass | None = None
    objections: tuple[Objection, ...] = ()
    summary: str = ""
    note: str = ""


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object", "properties": dict(properties), "required": list(properties), "additionalProperties": False,
    }


_TEXT = {"type": "string"}
PLAN_SCHEMA = _object({
    "decision": {"type": "string", "enum": list(DECISIONS)}, "reasoning": _TEXT, "hypothesis": _TEXT, "direction": _TEXT,
    "metric": {"type": "string", "enum": list(METRICS)},
    "refuted_if": {"type": "string", "enum": [each.value for each in Comparison]},
    "bound": {"type": "number"}, "due_days": {"type": "integer"},
})
OPINION_SCHEMA = _object({
    "class": {"type": "string", "enum": [each.value for each in ChangeClass]},
    "findings": {"type": "array", "items": _object({
        "file": _TEXT, "line": {"type": "integer"}, "code": {"type": "string", "enum": list(CODES)},
        "severity": {"type": "string", "enum": ["blocking", "advice"]}, "sentence": _TEXT,
    })},
    "summary": _TEXT,
})


def read_plan(text: str) -> Plan:
    """Raises Unusable, with what is wrong."""
    values = _json(text, PLAN_SCHEMA)
    change = None if values["decision"] == NO_CHANGE else ChangeClass(values["decision"])
    plan = Plan(
        change=change, reasoning=_text(values, "reasoning"), hypothesis=_text(values, "hypothesis"),
        direction=_text(values, "direction"), metric=values["metric"], refuted_if=Comparison(values["refuted_if"]),
        bound=_number(values, "bound", -BOUND_MAX, BOUND_MAX), due_days=int(_number(values, "due_days", 1, DUE_DAYS_MAX)),
    )
    if not plan.hypothesis:
        raise Unusable("hypothesis is empty: say what is expected")
    if change is not None and not plan.direction:
        raise Unusable(f"direction is empty: a {change.value} needs one")
    return plan


def read_opinion(text: str) -> Opinion:
    """Raises Unusable, with what is wrong."""
    values = _json(text, OPINION_SCHEMA)
    findings = values["findings"]
    if len(findings) > FINDINGS_MAX:
        raise Unusable(f"{len(findings)} findings; at most {FINDINGS_MAX}, the gravest first")
    objections = tuple(
        Objection(
            file=_text(each, "file")[:60], line=int(_number(each, "line", 0, LINE_MAX)), code=each["code"],
            sentence=_text(each, "sentence"), matters=each["severity"] == "blocking",
        )
        for each in findings
    )
    return Opinion(change=ChangeClass(values["class"]), objections=objections, summary=_text(values, "summary"))


def read_manuscript(text: str) -> Manuscript:
    """The tagged sections of an author's answer. Raises Unusable, with what is wrong."""
    if any(ord(each) < 32 and each not in "\t\n\r" for each in text):
        raise Unusable("it holds control characters, which no source has")
    found: dict[str, str] = {}
    skills: dict[str, str] = {}
    tags = list(_TAG.finditer(text))
    if len(tags) % 2:
        raise Unusable("a section is opened and not closed, or closed and not opened")
    for opening, closing in zip(tags[::2], tags[1::2], strict=True):
        kind = opening[2]
        if opening[1] or not closing[1] or closing[2] != kind:
            raise Unusable(f"<{opening[1]}{kind}> is followed by <{closing[1]}{closing[2]}>: sections do not nest")
        body = _unfenced(text[opening.end() : closing.start()].strip("\n"))
        if kind == "skill":
            _add_skill(skills, opening[3] or "", body)
        elif kind in found or opening[3] is not None:
            raise Unusable(f"<{kind}> stands more than once, or has a name")
        else:
            found[kind] = body
    missing = [kind for kind in ("hypothesis", "strategy") if not found.get(kind, "").strip()]
    if missing:
        raise Unusable(f"there is no {' and no '.join(f'<{kind}>' for kind in missing)} section, on lines of its own")
    size = len(found["strategy"]) + sum(map(len, skills.values()))
    if size > CODE_MAX:
        raise Unusable(f"the files are {size} characters long; at most {CODE_MAX} are read")
    hypothesis = " ".join(found["hypothesis"].split())[:TEXT_MAX]
    return Manuscript(hypothesis=hypothesis, code=found["strategy"] + "\n", skills=skills)


def _add_skill(skills: dict[str, str], name: str, body: str) -> None:
    if _SKILL_NAME.fullmatch(name) is None:
        raise Unusable(f"{name[:40]!r} is not the name of a skill: lower-case letters, digits and underscores, at most 32")
    if name in skills or len(skills) == SKILLS_MAX:
        raise Unusable(f"skill {name} stands twice, or there are more than {SKILLS_MAX}")
    skills[name] = body + "\n"


def _unfenced(body: str) -> str:
    """The text inside one fence, where a section holds exactly that."""
    fenced = _FENCED.match(body.strip())
    return fenced[1] if fenced else body


def _json(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The one JSON object a reply consists of, with the fields and choices of `schema`."""
    try:
        values = json.loads(_unfenced(text.strip()), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Unusable(f"it is not one JSON object: {str(error)[:120]}") from None
    _check("the answer", values, schema)
    assert isinstance(values, dict), "checked against a schema of objects"
    return values


_KINDS: Mapping[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,), "number": (int, float),
}


def _check(name: str, value: Any, schema: Mapping[str, Any]) -> None:
    kind = schema["type"]
    if type(value) not in _KINDS[kind]:
        raise Unusable(f"{name} is no {kind}")
    if "enum" in schema and value not in schema["enum"]:
        raise Unusable(f"{name} is none of {', '.join(schema['enum'])}")
    if kind == "object":
        if value.keys() != schema["properties"].keys():
            raise Unusable(f"{name} must have exactly the keys {', '.join(schema['properties'])}")
        for key, inner in schema["properties"].items():
            _check(key, value[key], inner)
    elif kind == "array":
        for item in value:
            _check(f"an item of {name}", item, schema["items"])


def _text(values: Mapping[str, Any], name: str) -> str:
    text = " ".join(str(values[name]).split()).encode("utf-8", "replace").decode("utf-8")
    if len(text) > TEXT_MAX:
        raise Unusable(f"{name} is {len(text)} characters long; at most {TEXT_MAX}")
    return text


def _number(values: Mapping[str, Any], name: str, least: float, most: float) -> float:
    number = values[name]
    if not least <= number <= most:
        raise Unusable(f"{name} must lie between {least:g} and {most:g}")
    return float(number)


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no number")
