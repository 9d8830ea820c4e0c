"""Who may speak to the bot: the listed people, in private chats, lately. Everything else is ignored and counted. Pure.

Fails closed: whatever is not exactly a new message or a pressed button of a listed person, in their own private chat, is
refused, whichever fields an update has or lacks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

AGE_MAX = timedelta(seconds=30)
# A phone's or Telegram's clock may be ahead of ours by a little.
AHEAD_MAX = timedelta(minutes=5)
ARGUMENT_CHARACTERS_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an owner asks: a text, or the data of a pressed button."""

    owner: int
    name: str
    text: str = ""
    pressed: str = ""
    callback_id: str = ""


class Gate:
    """Lets wishes through and counts what it does not, by reason."""

    def __init__(self, owner_ids: Collection[int]) -> None:
        self._owners = frozenset(owner_ids)
        self.ignored: Counter[str] = Counter()

    def judge(self, update: Any, now: datetime, *, after_gap: bool = False) -> Wish | str:
        """The wish, or why there is none. `after_gap`: we could not ask Telegram for a while, so that a pressed button,
        which carries no time, may have been pressed long ago."""
        found = self._judged(update, now, after_gap)
        if isinstance(found, str):
            self.ignored[found] += 1
        return found

    def _judged(self, update: Any, now: datetime, after_gap: bool) -> Wish | str:
        if update.callback_query is not None:
            return self._pressed(update.callback_query, after_gap)
        message = update.message
        if message is None:
            return "no new message"
        reason = self._stranger(message.from_user, message.chat)
        if reason:
            return reason
        if message.forward_origin is not None or message.via_bot is not None or message.sender_chat is not None:
            return "forwarded or of another origin"
        if not message.text:
            return "no text"
        if not -AHEAD_MAX <= now - message.date <= AGE_MAX:
            return "late"
        if len(message.text) > ARGUMENT_CHARACTERS_MAX:
            return "too long"
        return Wish(owner=message.from_user.id, name=_name(message.from_user), text=message.text)

    def _pressed(self, query: Any, after_gap: bool) -> Wish | str:
        # A message too old to be shown in full still says which chat it is in.
        chat = query.message.chat if query.message is not None else None
        reason = self._stranger(query.from_user, chat)
        if reason:
            return reason
        if not query.data:
            return "no data"
        if after_gap:
            return "late"
        return Wish(owner=query.from_user.id, name=_name(query.from_user), pressed=query.data, callback_id=query.id)

    def _stranger(self, user: Any, chat: Any) -> str:
        if user is None or chat is None or user.is_bot or user.id not in self._owners:
            return "not an owner"
        if chat.type != "private" or chat.id != user.id:
            return "not a private chat"
        return ""


def _name(user: Any) -> str:
    """How the record calls a person: the id, which nobody can change, after the name."""
    known = "".join(character for character in str(user.first_name or "") if character.isprintable())[:40].strip()
    return f"{known} (Telegram {user.id})" if known else f"Telegram {user.id}"
