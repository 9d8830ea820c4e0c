"""Answers in Telegram's HTML: escaped, narrow enough for a phone, cut into pages that Telegram takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from shell.report.text import shown

# Telegram takes 4,096 characters a message (core.telegram.org/bots/api#sendmessage, read 2026-11-22); tags count as well here.
PAGE_CHARACTERS_MAX = 3500
PAGES_MAX = 6
LINE_CHARACTERS_MAX = 700
PRE_CHARACTERS_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """One inline button. `data` comes back when it is pressed; Telegram takes 64 bytes of it."""

    label: str
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A chart as PNG, with what it shows in words."""

    png: bytes
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that is sent."""

    name: str
    content: bytes
    caption: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """Something to look at again after `seconds`, and to say something about unless all is well by then."""

    seconds: float
    check: Callable[[], Reply | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: `html` is Telegram's HTML, made of the functions below, with one row of buttons per entry."""

    html: str = ""
    buttons: tuple[tuple[Button, ...], ...] = ()
    pictures: tuple[Picture, ...] = ()
    file: File | None = None
    later: Later | None = None


def plain(text: str) -> str:
    """Anybody's text, made harmless: no control characters, no tags, one line, with an end."""
    line = " ".join(shown(text).split())
    return escape(line if len(line) <= LINE_CHARACTERS_MAX else line[: LINE_CHARACTERS_MAX - 1] + "…", quote=False)


def bold(text: str) -> str:
    return f"<b>{plain(text)}</b>"


def facts(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values in two columns of fixed width, the names as wide as the widest."""
    width = max((len(name) for name, _ in rows), default=0)
    return pre([f"{name:<{width}}  {value}" for name, value in rows])


def pre(lines: Sequence[str]) -> str:
    """Lines in fixed width, each cut where it would not end."""
    return "<pre>" + "\n".join(escape(shown(line)[:PRE_CHARACTERS_MAX], quote=False) for line in lines) + "</pre>"


def as_of(moment: datetime, now: datetime) -> str:
    """When the figures were true, and how long ago that is where it matters."""
    seconds = (now - moment).total_seconds()
    age = f", {duration(seconds)} ago" if seconds >= 120 else ""
    return f"<i>as of {moment:%Y-%m-%d %H:%M} UTC{age}</i>"


def duration(seconds: float) -> str:
    """A length of time in its largest unit or two: 40 s, 5 min, 3 h 20 min, 2 d 4 h."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return f"{int(seconds)} s"
    hours, days = minutes // 60, minutes // 1440
    if hours < 1:
        return f"{minutes} min"
    if days < 1:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"


def pages(html: str) -> list[str]:
    """`html` cut at its lines into messages Telegram takes, each numbered where there are several. A block of fixed width
    that is cut is closed and opened again. More than `PAGES_MAX` end with a word on where the rest is."""
    if len(html) <= PAGE_CHARACTERS_MAX:
        return [html]
    found, open_block, page = [], False, ""
    for line in html.split("\n"):
        if len(page) + len(line) + 1 > PAGE_CHARACTERS_MAX and page:
            found.append(page + ("</pre>" if open_block else ""))
            page = "<pre>" if open_block else ""
        page += line if not page or page == "<pre>" else "\n" + line
        for _ in range(line.count("<pre>")):
            open_block = True
        if line.rfind("</pre>") > line.rfind("<pre>"):
            open_block = False
    found.append(page)
    if len(found) > PAGES_MAX:
        found = [*found[: PAGES_MAX - 1], "The rest is longer than a phone should show: /report sends all of it."]
    return [f"({number}/{len(found)})\n{text}" for number, text in enumerate(found, 1)]
