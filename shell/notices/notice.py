"""One message before it is written down."""

from __future__ import annotations

from dataclasses import dataclass

from shell.notices.kinds import Severity, kind_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is told, of which kind and how loud. `action` is what to do about it, the kind's own unless given.

    Of one `key` a message is written once within `Notices.again_after`; "" for messages that stand alone.
    """

    kind: str
    text: str
    severity: Severity = Severity.INFO
    action: str = ""
    key: str = ""

    @property
    def told_action(self) -> str:
        return self.action or kind_of(self.kind).action
