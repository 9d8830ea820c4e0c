"""A month of nights as a model might answer them: good ideas and bad ones, refusals, outages, hostile code. The same each time.

One scene a night on which the analyst is asked; what a scene has no answer for is refused, as a provider refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.tasks.ai.answers import finding, manuscript, opinion, plan
from tests.tasks.ai.messages_server import MessagesServer, Refuse, Say, role_of
from tests.tasks.sources import rule

ANALYSE, GENERATE, REVIEW = "analyse", "generate", "review"
GOOD = rule(fast=8, slow=40)
QUICK = rule(fast=10, slow=30)
BREAKOUT = rule(term_1="breakout", channel=48, exit="trail", trail_ranges=4.0)
WITHOUT_STOP = replace(GOOD, code=GOOD.code.replace("stop_loss=stop, ", ""))
HOSTILE = replace(GOOD, code="import os\nos.system('true')\n" + GOOD.code)
_ENTERS = "def _enters(self, data: SymbolData) -> bool:\n        return "
NEVER = replace(GOOD, code=GOOD.code.replace(_ENTERS, f"{_ENTERS}False and "))
STAY = plan(
    decision="no change", direction="", reasoning="a few days of a slow strategy say nothing", metric="fees",
    hypothesis="the strategy goes on paying little", refuted_if="above", bound=100.0, due_days=5,
)


def asks(kind: str, why: str, **changes: Any) -> Say:
    return plan(decision=kind, reasoning=why, hypothesis=why, direction=f"build that: {why}", **changes)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What one night's models say, by role, in order. `title` is what a reader of the night should find in its report."""

    title: str
    analyse: tuple[Say | Refuse, ...] = (STAY,)
    generate: tuple[Say | Refuse, ...] = ()
    review: tuple[Say | Refuse, ...] = ()


SCENES: tuple[Scene, ...] = (
    Scene(title="no change"),
    Scene(
        title="bad code, mended for the rules, then for the reviewer",
        analyse=(asks("restructure", "trends last for days, so a plain average pair is enough", bound=0.0, due_days=2),),
        generate=(manuscript(WITHOUT_STOP), manuscript(GOOD, "trends last"), manuscript(QUICK, "trends last, and end soon")),
        review=(opinion(findings=[finding()]), opinion(summary="a plain trend rule")),
    ),
    Scene(title="the analyst refuses", analyse=(Say(text="", stop_reason="refusal"),)),
    Scene(
        title="the analyst's answer is mended", analyse=(Say(text="Buy! <data>"), STAY),
    ),
    Scene(
        title="hostile code", analyse=(asks("overhaul", "coins that fell for a day rise again"),),
        generate=(manuscript(HOSTILE), manuscript(HOSTILE)),
    ),
    Scene(title="overloaded", analyse=(Refuse(status=529, headers={"retry-after": "3600"}),)),
    Scene(
        title="an idea that does worse", analyse=(asks("tweak", "patience pays"),),
        generate=(manuscript(NEVER, "patience pays"), manuscript(NEVER, "patience pays")),
    ),
    Scene(
        title="cut off and mended", analyse=(asks("overhaul", "new highs draw buyers for days"),),
        generate=(Say(text="<hypothesis>", stop_reason="max_tokens"), manuscript(BREAKOUT, "new highs draw buyers for days")),
        review=(opinion(**{"class": "overhaul"}, summary="a breakout"),),
    ),
    Scene(
        title="the same idea again", analyse=(asks("restructure", "trends last, again"),),
        generate=(manuscript(QUICK, "trends last, again"), manuscript(QUICK, "trends last, again")),
    ),
)


@dataclass
class Month:
    """Plays the scenes; nights beyond them stay as they are. `seen` is how many nights the analyst was asked on."""

    scenes: tuple[Scene, ...] = SCENES
    seen: int = 0
    left: dict[str, list[Say | Refuse]] = field(default_factory=dict)
    # Every reply that was sent, with the model it was asked of, in order.
    said: list[tuple[str, Say]] = field(default_factory=list)

    def answer(self, body: Mapping[str, Any]) -> Say | Refuse:
        role = role_of(body)
        first = len(body["messages"]) == 1
        if role == ANALYSE and first:
            scene = self.scenes[self.seen] if self.seen < len(self.scenes) else Scene(title="no change")
            self.seen += 1
            self.left = {ANALYSE: list(scene.analyse), GENERATE: list(scene.generate), REVIEW: list(scene.review)}
        lines = self.left.get(role, [])
        line = lines.pop(0) if lines else Refuse(status=400, kind="invalid_request_error")
        if isinstance(line, Say):
            self.said.append((body["model"], line))
        return line

    def play(self, server: MessagesServer) -> None:
        server.otherwise = self.answer
