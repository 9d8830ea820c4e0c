"""The line to Telegram: one bot, its calls, and what their failures mean for whoever waits.

Nothing here knows the shell. No text of an exception leaves this file: Telegram's and httpx's may contain the token.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, InputFile, LinkPreviewOptions
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter, TelegramError
from telegram.request import HTTPXRequest

from shell.secrets import Secret
from shell.telegram.commands import COMMANDS
from shell.telegram.text import Button, File, Picture

OFFICIAL = "https://api.telegram.org"
POLL_SECONDS = 10
ANSWER_SECONDS = 10.0
UPLOAD_SECONDS = 60.0
ALLOWED_UPDATES = ("message", "callback_query")
POOL = 8


class Trouble(Exception):
    """A call that failed: what it means, how long to wait at least, and whether the same call may ever succeed.

    `lasting` ones are not mended by asking again: an owner who blocked the bot, a text Telegram does not take.
    """

    def __init__(
        self, sentence: str, wait_seconds: float = 0.0, *, lasting: bool = False, about_token: bool = False
    ) -> None:
        self.sentence = sentence
        self.wait_seconds = wait_seconds
        self.lasting = lasting
        self.about_token = about_token
        super().__init__(sentence)


class Line:
    """Calls of one bot at one address. Every method raises Trouble and nothing else of Telegram's."""

    def __init__(self, token: Secret, base_url: str) -> None:
        root = (base_url or OFFICIAL).rstrip("/").removesuffix("/bot")
        self._bot = Bot(
            token.reveal(), base_url=f"{root}/bot", base_file_url=f"{root}/file/bot",
            request=HTTPXRequest(POOL, read_timeout=ANSWER_SECONDS, connect_timeout=ANSWER_SECONDS, pool_timeout=ANSWER_SECONDS,
                                 media_write_timeout=UPLOAD_SECONDS),
            get_updates_request=HTTPXRequest(1, read_timeout=ANSWER_SECONDS, connect_timeout=ANSWER_SECONDS),
        )

    async def open(self) -> str:
        """Say hello; returns the bot's name."""
        try:
            await self._bot.initialize()
        except TelegramError as error:
            raise trouble_of(error) from None
        return str(self._bot.username)

    async def close(self) -> None:
        try:
            await self._bot.shutdown()
        except (TelegramError, RuntimeError):
            return

    async def announce_commands(self) -> None:
        """Telegram's menu of commands on the phone; a convenience, so its failure is nobody's trouble."""
        try:
            await self._bot.set_my_commands([(each.name, each.does[:256]) for each in COMMANDS.values()])
        except TelegramError:
            return

    async def backlog(self) -> tuple[int | None, int]:
        """(where to go on, how many at least) of what waits, leaving all of it behind."""
        left = await self.updates(-1, wait_seconds=0)
        return (left[-1].update_id + 1, len(left)) if left else (None, 0)

    async def updates(self, offset: int | None, *, wait_seconds: int = POLL_SECONDS) -> Sequence[Any]:
        """What came from `offset` on; waits for the first."""
        try:
            return await self._bot.get_updates(
                offset=offset, timeout=wait_seconds, allowed_updates=list(ALLOWED_UPDATES),
                read_timeout=ANSWER_SECONDS + wait_seconds,
            )
        except TelegramError as error:
            raise trouble_of(error) from None

    async def past(self, offset: int | None) -> tuple[int, int]:
        """(where to go on, how many were left behind) where updates cannot be read at all: behind all of them."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the library would rather be asked through the method that just failed
                raw = await self._bot.do_api_request("getUpdates", api_kwargs={"offset": offset or 0, "timeout": 0})
        except TelegramError as error:
            raise trouble_of(error) from None
        numbers = [each["update_id"] for each in raw if isinstance(each, dict) and isinstance(each.get("update_id"), int)]
        return max(numbers, default=(offset or 0) - 1) + 1, len(numbers)

    async def say(
        self, chat: int, html: str, buttons: Sequence[Sequence[Button]] = (), *, silent: bool = False
    ) -> None:
        """One message of Telegram's HTML; where it does not take the HTML, the same without."""
        keyboard = _keyboard(buttons)
        try:
            await self._send_text(chat, html, keyboard, silent, "HTML")
        except BadRequest:
            try:
                await self._send_text(chat, html, keyboard, silent, None)
            except TelegramError as error:
                raise trouble_of(error) from None
        except TelegramError as error:
            raise trouble_of(error) from None

    async def show(self, chat: int, picture: Picture) -> None:
        try:
            await self._bot.send_photo(chat, InputFile(picture.png, filename="chart.png"), caption=picture.caption[:1000])
        except TelegramError as error:
            raise trouble_of(error) from None

    async def hand(self, chat: int, file: File) -> None:
        try:
            await self._bot.send_document(chat, InputFile(file.content, filename=file.name), caption=file.caption[:1000])
        except TelegramError as error:
            raise trouble_of(error) from None

    async def heard(self, callback_id: str, text: str = "") -> None:
        """End the waiting sign on a pressed button. Its failure is nobody's trouble: the answer comes as a message."""
        try:
            await self._bot.answer_callback_query(callback_id, text=text or None)
        except TelegramError:
            return

    async def _send_text(self, chat: int, text: str, keyboard: Any, silent: bool, mode: str | None) -> None:
        await self._bot.send_message(
            chat, text, parse_mode=mode, reply_markup=keyboard, disable_notification=silent,
            link_preview_options=LinkPreviewOptions(is_disabled=True),
        )


def trouble_of(error: TelegramError) -> Trouble:
    """What a failure means, in words of ours."""
    match error:
        case RetryAfter():
            wait = error.retry_after
            seconds = wait.total_seconds() if hasattr(wait, "total_seconds") else float(wait)
            return Trouble(f"Telegram asks to wait {seconds:.0f} s", wait_seconds=seconds)
        case Conflict() if "webhook" in error.message.lower():
            return Trouble("a webhook is set for this bot, so nothing can be fetched: remove it, or use another bot", 5.0)
        case Conflict():
            return Trouble(
                "another program fetches messages with the same token, and each steals the other's: stop that one, or give "
                "this system a bot of its own (@BotFather, /newbot)", 5.0,
            )
        case InvalidToken():
            return Trouble("Telegram does not know this token: check TELEGRAM_BOT_TOKEN", 30.0, lasting=True, about_token=True)
        case Forbidden():
            return Trouble("a person has not opened a chat with the bot, or has blocked it: press Start there", lasting=True)
        case BadRequest():
            return Trouble("Telegram did not take a message", lasting=True)
        case NetworkError():
            return Trouble("Telegram cannot be reached")
        case _:
            return Trouble("Telegram answered with an error")


def _keyboard(buttons: Sequence[Sequence[Button]]) -> InlineKeyboardMarkup | None:
    if not buttons:
        return None
    rows = [[InlineKeyboardButton(each.label, callback_data=each.data) for each in row] for row in buttons]
    return InlineKeyboardMarkup(rows)
