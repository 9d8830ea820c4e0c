"""The bot as a companion of the shell: a thread with an event loop of its own, which asks and is never waited for (D1).

Whatever happens to Telegram, to the network or in here, trading goes on: updates are fetched, answered and messages sent in
tasks of this loop, every question blocks a worker thread and not the loop, and trouble is met with patience for ever.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, TypeVar

from shell.calls import Calls
from shell.clock import Clock, SystemClock, monotonic
from shell.companion import LinkHealth
from shell.config import Settings
from shell.errors import BrainError, NotNow
from shell.home import Home
from shell.log import get_logger
from shell.notices.notices import Notices
from shell.secrets import Secret
from shell.telegram.books import Reader
from shell.telegram.confirm import Confirmations
from shell.telegram.conversation import Conversation
from shell.telegram.gate import AGE_MAX, Gate, Wish
from shell.telegram.line import Line, Trouble
from shell.telegram.postman import Postman, rendered
from shell.telegram.text import Reply, pages, plain

Found = TypeVar("Found")
BACKOFF_FIRST_SECONDS, BACKOFF_MAX_SECONDS = 1.0, 60.0
DELIVERY_SECONDS = 1.0
AT_ONCE_MAX = 8
# One more each for reading the outbox and for marking it.
WORKERS = AT_ONCE_MAX + 2
TRIES = 3
STOP_SECONDS = 6.0
FAREWELL_SECONDS = 3.0
AGAIN_SECONDS = 5.0
FAREWELL = "System is stopping. Positions and their stops stay; nothing is opened until it starts again."


class Telegram:
    """See the module. `report` writes the report and says where; `links` tells how every link of the system stands."""

    def __init__(
        self,
        *,
        home: Home,
        settings: Settings,
        token: Secret,
        clock: Clock,
        notices: Notices,
        links: Callable[[], Sequence[LinkHealth]] = tuple,
        report: Callable[[], Path] | None = None,
        poll_seconds: int | None = None,
        wall: Clock | None = None,
    ) -> None:
        self._home, self._settings, self._token, self._clock = home, settings, token, clock
        self._notices, self._links, self._report = notices, links, report
        self._poll_seconds = poll_seconds
        # Telegram's times are the world's, also where the shell's clock is a replay's.
        self._wall = wall or SystemClock()
        self._gate = Gate(settings.telegram.owner_ids)
        self._thread: Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._quit = Event()
        self._trouble = "not started"
        self._unreachable: set[int] = set()
        self.counted: Counter[str] = Counter()

    # -- what a companion is --------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return "Telegram"

    def start(self, calls: Calls) -> None:
        """Begin, and return at once. From now on messages wait for this channel. Raises NotNow when nobody may command."""
        if not self._settings.telegram.owner_ids:
            raise NotNow("[telegram] owner_ids names nobody, so the bot would talk to nobody: add your numeric id")
        # Both write every address they call, and a bot's token is part of it.
        for talkative in ("httpx", "httpcore", "telegram"):
            logging.getLogger(talkative).setLevel(logging.CRITICAL if talkative == "telegram" else logging.WARNING)
        self._notices.delivered_elsewhere = True
        self._trouble = "connecting"
        reader = Reader(
            home=self._home, settings=self._settings, clock=self._clock, calls=calls, links=self._links
        )
        self._thread = Thread(target=self._run, args=(reader,), name="telegram", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye and end, within `STOP_SECONDS`."""
        self._quit.set()
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None and not loop.is_closed():
            with suppress(RuntimeError):  # it ended by itself just now
                loop.call_soon_threadsafe(stop.set)
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
        self._trouble = "stopped"

    def health(self) -> LinkHealth:
        """`sentence` also tells of people who cannot be reached, and how much was ignored."""
        notes = [self._trouble] if self._trouble else []
        if self._unreachable:
            who = ", ".join(str(owner) for owner in sorted(self._unreachable))
            notes.append(f"{who} cannot be reached: that person has to open a chat with the bot and press Start")
        ignored = sum(self._gate.ignored.values())
        if ignored:
            why = ", ".join(f"{count} {reason}" for reason, count in sorted(self._gate.ignored.items()))
            notes.append(f"{ignored} updates ignored ({why})")
        return LinkHealth(name=self.name, ok=not self._trouble and not self._unreachable, sentence="; ".join(notes))

    @property
    def ignored(self) -> Counter[str]:
        """Updates that were not heeded, by reason."""
        return self._gate.ignored

    # -- the thread -----------------------------------------------------------------------------------------------

    def _run(self, reader: Reader) -> None:
        while not self._quit.is_set():
            try:
                asyncio.run(self._live(reader))
            except Exception as error:  # noqa: BLE001
                # The outermost edge of this thread: trading has gone on, and the bot begins afresh.
                self.counted["failed"] += 1
                self._trouble = "the bot failed inside and starts again"
                get_logger().error("telegram failed", error=type(error).__name__, exc_info=error)
                self._quit.wait(AGAIN_SECONDS)

    async def _live(self, reader: Reader) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        if self._quit.is_set():
            return
        line = Line(self._token, self._settings.telegram.base_url)
        pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="telegram-answer")
        postman = Postman(reader)
        work = asyncio.create_task(self._work(line, reader, postman, pool))
        ended = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([work, ended], return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            work.cancel()
            ended.cancel()
            await asyncio.gather(work, ended, return_exceptions=True)
            if self._quit.is_set():
                await self._say_goodbye(line)
            await line.close()
            pool.shutdown(wait=False, cancel_futures=True)
            postman.close()

    async def _work(self, line: Line, reader: Reader, postman: Postman, pool: ThreadPoolExecutor) -> None:
        bot_name = await self._patiently(line.open)
        async with asyncio.TaskGroup() as together:
            together.create_task(self._converse(line, reader, pool, bot_name))
            together.create_task(self._deliver_for_ever(line, reader, postman, pool))

    async def _say_goodbye(self, line: Line) -> None:
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                for owner in self._settings.telegram.owner_ids:
                    await line.say(owner, plain(FAREWELL))
                self._notices.farewell_told = True
        except (Trouble, TimeoutError):
            self.counted["farewell not sent"] += 1

    # -- conversation ---------------------------------------------------------------------------------------------

    async def _converse(self, line: Line, reader: Reader, pool: ThreadPoolExecutor, bot_name: str) -> None:
        """Fetch updates for ever and answer those of owners, several at a time."""
        await line.announce_commands()
        conversation = Conversation(reader, Confirmations(), self._report, bot_name)
        offset, left = await self._patiently(line.backlog)
        if left:
            self.counted["left behind at the start"] += left
        room, running = asyncio.Semaphore(AT_ONCE_MAX), set[asyncio.Task[None]]()
        heard_at, patience = monotonic(), Patience()
        while True:
            try:
                updates = await self._fetch(line, offset)
            except Trouble as trouble:
                self._note(trouble)
                await asyncio.sleep(patience.after(trouble))
                continue
            except UnreadableUpdates as unreadable:
                offset = unreadable.offset
                continue
            gap = monotonic() - heard_at > AGE_MAX.total_seconds()
            heard_at, self._trouble, patience = monotonic(), "", Patience()
            late = 0
            for update in updates:
                offset = update.update_id + 1
                wish = self._gate.judge(update, self._wall.now(), after_gap=gap)
                if isinstance(wish, Wish):
                    await room.acquire()
                    task = asyncio.create_task(self._heed(line, conversation, wish, pool, room))
                    running.add(task)
                    task.add_done_callback(running.discard)
                else:
                    late += wish == "late"
            if late:
                await self._tell_of_late(line, late)

    async def _fetch(self, line: Line, offset: int | None) -> Sequence[Any]:
        try:
            if self._poll_seconds is None:
                return await line.updates(offset)
            return await line.updates(offset, wait_seconds=self._poll_seconds)
        except Trouble:
            raise
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            # An update of a shape the library cannot read would come again for ever.
            get_logger().warning("telegram updates cannot be read", error=type(error).__name__)
            where, count = await line.past(offset)
            self.counted["unreadable"] += count
            raise UnreadableUpdates(where) from None

    async def _heed(
        self, line: Line, conversation: Conversation, wish: Wish, pool: ThreadPoolExecutor, room: asyncio.Semaphore
    ) -> None:
        try:
            if wish.callback_id:
                await line.heard(wish.callback_id)
            reply = await asyncio.get_running_loop().run_in_executor(pool, self._answered, conversation, wish)
        finally:
            room.release()
        await self._reply(line, wish.owner, reply)
        if reply.later is not None:
            await asyncio.sleep(reply.later.seconds)
            found = await asyncio.get_running_loop().run_in_executor(pool, reply.later.check)
            if found is not None:
                await self._reply(line, wish.owner, found)

    def _answered(self, conversation: Conversation, wish: Wish) -> Reply:
        try:
            return conversation.answer(wish)
        except Exception as error:  # noqa: BLE001
            # A fault of ours in one answer is one answer's; the person must know that nothing is known.
            self.counted["answers failed"] += 1
            get_logger().error("a telegram command failed", command=wish.text.split(" ")[0], exc_info=error)
            return Reply(html="That failed inside, and I cannot say how far it got: look at /status. The log has the details.")

    async def _reply(self, line: Line, owner: int, reply: Reply) -> None:
        """An answer, tried a few times: the person who asked can ask again."""
        for tried in range(1, TRIES + 1):
            try:
                sections = pages(reply.html) if reply.html else []
                for number, page in enumerate(sections, 1):
                    await line.say(owner, page, reply.buttons if number == len(sections) else ())
                for picture in reply.pictures:
                    await line.show(owner, picture)
                if reply.file is not None:
                    await line.hand(owner, reply.file)
                return
            except Trouble as trouble:
                self.counted["answers not sent"] += tried == TRIES or trouble.lasting
                if trouble.lasting:
                    return
                await asyncio.sleep(max(trouble.wait_seconds, BACKOFF_FIRST_SECONDS * tried))

    async def _tell_of_late(self, line: Line, count: int) -> None:
        told = f"{count} of your messages came more than {AGE_MAX.total_seconds():.0f} s late and nothing was done: ask again."
        for owner in self._settings.telegram.owner_ids:
            await self._reply(line, owner, Reply(html=plain(told)))

    # -- delivery -------------------------------------------------------------------------------------------------

    async def _deliver_for_ever(self, line: Line, reader: Reader, postman: Postman, pool: ThreadPoolExecutor) -> None:
        loop, patience = asyncio.get_running_loop(), Patience()
        while True:
            try:
                for parcel in await loop.run_in_executor(pool, postman.parcels):
                    html, buttons = rendered(parcel, reader.clock.now())
                    for owner in postman.still_to_reach(parcel):
                        try:
                            await line.say(owner, html, buttons, silent=parcel.silent)
                        except Trouble as trouble:
                            if not trouble.lasting or trouble.about_token:
                                raise
                            self._unreachable.add(owner)
                        else:
                            postman.reached(parcel, owner)
                            self._unreachable.discard(owner)
                    if not postman.done(parcel):
                        raise Trouble("nobody could be reached", BACKOFF_MAX_SECONDS)
                patience = Patience()
            except Trouble as trouble:
                self.counted["deliveries put off"] += 1
                await asyncio.sleep(patience.after(trouble))
            except BrainError as error:
                # The database cannot be read just now; messages keep.
                get_logger().warning("the outbox cannot be read", error=str(error))
                await asyncio.sleep(AGAIN_SECONDS)
            if postman.to_mark:
                await loop.run_in_executor(pool, postman.mark)
            await asyncio.sleep(DELIVERY_SECONDS)

    # -- patience -------------------------------------------------------------------------------------------------

    async def _patiently(self, call: Callable[[], Awaitable[Found]]) -> Found:
        """`call` until it succeeds."""
        patience = Patience()
        while True:
            try:
                found = await call()
            except Trouble as trouble:
                self._note(trouble)
                await asyncio.sleep(patience.after(trouble))
            else:
                self._trouble = ""
                return found

    def _note(self, trouble: Trouble) -> None:
        if trouble.sentence != self._trouble:
            get_logger().warning("telegram", trouble=trouble.sentence)
        self.counted["troubles"] += 1
        self._trouble = trouble.sentence


class UnreadableUpdates(Exception):
    """Updates no shape of which is known; `offset` is behind them."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        super().__init__(f"go on at {offset}")


class Patience:
    """How long to wait after each failure in a row: doubling to a minute, never less than was asked for."""

    def __init__(self) -> None:
        self._next = BACKOFF_FIRST_SECONDS

    def after(self, trouble: Trouble) -> float:
        wait = max(self._next, trouble.wait_seconds)
        self._next = min(self._next * 2, BACKOFF_MAX_SECONDS)
        return wait
