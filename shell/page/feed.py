"""The newest view, made once for all who look, and a signal when there is a newer one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from shell.clock import monotonic
from shell.companion import LinkHealth
from shell.page.links import Links
from shell.page.reader import PageReader

LOOK_SECONDS = 0.5
LINK_SECONDS = 5.0
HEARTBEAT_SECONDS = 10.0
LISTENERS_MAX = 32


class Feed:
    """Reads on a thread of its own; the event loop only hands out what is there. Looks only while somebody does."""

    def __init__(self, reader: PageReader, links: Links) -> None:
        self._reader = reader
        self._links = links
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="page-reader")
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="page-links")
        self._known: tuple[LinkHealth, ...] = ()
        self._asked_at = float("-inf")
        self._seen: object = None
        self._turn = asyncio.Lock()
        self._moved = asyncio.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = False
        self.listeners = 0
        self.number = 0
        self.body = b"{}"
        self.failures = 0
        self.failure = ""

    async def watch(self) -> None:
        """Until cancelled: look for news as long as anybody listens."""
        self._loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self.listeners:
                await self.refresh()

    async def refresh(self) -> None:
        """Make the view anew if anything has changed. A failure is counted, told in `health`, and does not end the page."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            try:
                await self._ask_links()
                version = await loop.run_in_executor(self._thread, self._reader.version)
                seen = (version, self._known)
                if seen == self._seen:
                    return
                view = await loop.run_in_executor(self._thread, self._reader.view, self._known)
                body = json.dumps(view, allow_nan=False, separators=(",", ":")).encode()
            except Exception as error:  # noqa: BLE001 (listed in tests/test_repository.py)
                self.failures += 1
                self.failure = f"{type(error).__name__}: {error}"
                return
            self._seen, self.failure = seen, ""
            if body != self.body:
                self.body = body
                self.number += 1
        await self._tell()

    async def curves(self) -> bytes:
        found = await asyncio.get_running_loop().run_in_executor(self._thread, self._reader.curves)
        return json.dumps(found, allow_nan=False, separators=(",", ":")).encode()

    async def stream(self) -> AsyncIterator[bytes]:
        """Server-sent events: the view now and whenever it changes, a comment in between so that a dead line is noticed."""
        self.listeners += 1
        try:
            yield b"retry: 2000\n\n"
            await self.refresh()
            sent = -1
            while not self._ending:
                if sent != self.number:
                    sent = self.number
                    yield b"data: " + self.body + b"\n\n"
                try:
                    async with self._moved:
                        await asyncio.wait_for(self._moved.wait(), HEARTBEAT_SECONDS)
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self.listeners -= 1

    def end(self) -> None:
        """Let every stream come to its end. From any thread."""
        self._ending = True
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._tell(), self._loop)

    async def _tell(self) -> None:
        async with self._moved:
            self._moved.notify_all()

    def close(self) -> None:
        self._thread.submit(self._reader.close)
        self._thread.shutdown(wait=True, cancel_futures=False)
        self._asking.shutdown(wait=False, cancel_futures=True)

    async def _ask_links(self) -> None:
        """Links may be slow to answer: they are asked beside, and what they said last is shown until they have."""
        if monotonic() - self._asked_at < LINK_SECONDS:
            return
        self._asked_at = monotonic()
        answer = asyncio.get_running_loop().run_in_executor(self._asking, lambda: tuple(self._links()))
        done, _ = await asyncio.wait({answer}, timeout=LOOK_SECONDS)
        if done:
            self._known = answer.result()
        else:
            answer.add_done_callback(self._take_links)

    def _take_links(self, answer: asyncio.Future[tuple[LinkHealth, ...]]) -> None:
        if not answer.cancelled() and answer.exception() is None:
            self._known = answer.result()
