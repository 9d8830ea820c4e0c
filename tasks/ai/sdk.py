"""Models behind the anthropic SDK, Anthropic's own API and Vertex alike: streamed, within a deadline of our own, retried only
while it is sure that nothing was worked on.

The SDK's own retries are off: it obeys `Retry-After` without a ceiling and outside its timeout. A call here is a coroutine in a
thread of its own, cancelled at the deadline wherever it stands, so that neither a slow drip nor a long wait outlives it.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from shell.clock import monotonic
from shell.model_calls import Usage
from tasks.ai.dialogue import CallFailed, Question, Reply

if TYPE_CHECKING:
    from anthropic import APIConnectionError, APIStatusError, AsyncAnthropic, AsyncAnthropicVertex
    from anthropic.types import Message

    Client = AsyncAnthropic | AsyncAnthropicVertex

T = TypeVar("T")

# Refusals that pass: the provider says that it did no work. 529 is Anthropic's "overloaded".
PASSING = frozenset({409, 429, 500, 502, 503, 529})
# Somebody on the way stopped waiting: what was asked may have been worked on, and be billed.
TIMED_OUT = frozenset({408, 504})
WAIT_FIRST_SECONDS = 1.0
WAIT_MAX_SECONDS = 60.0
# A socket that gives nothing for this long is given up before the deadline; pings come every few seconds.
SILENCE_SECONDS = 90.0
TEXT_MAX = 300
STREAMED, WHOLE = "text/event-stream", "application/json"
ACTIVE = "active"
# What the SDK, or this module, makes of an answer that is not what it should be.
STRANGE = (ValueError, TypeError, AttributeError, LookupError, AssertionError, RuntimeError)
# No bill of one call has more.
TOKENS_MAX = 100_000_000
TEXT_CHARS_MAX = 2_000_000


class SdkModels:
    """See the module. `connect` makes a fresh client for each call; `chance` draws the waits between tries."""

    def __init__(
        self, *, name: str, connect: Callable[[], Client], structured: bool, deadline_seconds: float, retries_max: int,
        chance: random.Random | None = None,
    ) -> None:
        self.name, self.structured = name, structured
        self._connect, self._deadline, self._retries_max = connect, deadline_seconds, retries_max
        # Jitter is no part of a night's result, so it needs no seed.
        self._chance = chance or random.Random()

    def count(self, question: Question) -> int:
        """Tokens of the input, as the provider counts them."""
        body = question.request()
        del body["max_tokens"]

        async def counted(client: Client) -> int:
            answer = await client.messages.count_tokens(**body)
            try:
                return _tokens(answer.input_tokens)
            except STRANGE as error:
                raise CallFailed(f"{self.name} did not count the tokens: {_one_line(error)}", free=True) from error

        return self._within_deadline(counted)

    def ask(self, question: Question) -> Reply:
        """One streamed call. Usage is that of the final message, thinking and cached tokens included.

        A server that does not stream and answers whole is understood as well; whatever else comes is a broken reply.
        """
        body = question.request()

        async def streamed(client: Client) -> Reply:
            import httpx2
            from anthropic import AnthropicError

            async with client.messages.stream(**body) as stream:
                try:
                    kind = stream.response.headers.get("content-type", "").partition(";")[0].strip().lower()
                    if kind == WHOLE:
                        message = _whole(await stream.response.aread())
                    else:
                        message = await stream.get_final_message()
                    return _reply_of(message, str(stream.request_id or ""))
                except (AnthropicError, httpx2.HTTPError, *STRANGE) as error:
                    # The reply had begun: whatever broke it, output may have been billed.
                    came = "" if kind in (WHOLE, STREAMED) else f" (it came as {kind!r})"
                    raise CallFailed(f"the reply broke off: {_one_line(error)}{came}", free=False) from error

        return self._within_deadline(streamed)

    def lifecycle(self, model: str) -> str:
        """A sentence when the model is on its way out or unknown, "" when all is well. Vertex has no such list.

        Raises CallFailed when it could not be asked.
        """
        async def described(client: Client) -> str:
            listed = getattr(client, "models", None)
            if listed is None:
                return ""
            info = await listed.retrieve(model)
            # A stand-in need not know of lifecycles; only what is said is told.
            stage, ends = str(getattr(info, "lifecycle", None) or ACTIVE), getattr(info, "retires_at", None)
            if stage == ACTIVE:
                return ""
            end = f", it ends on {ends:%Y-%m-%d}" if isinstance(ends, datetime) else ""
            return f"model {model} is {_one_line(stage)}{end}: name another under [ai] in config/settings.toml"

        return self._within_deadline(described)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _within_deadline(self, call: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
        """Run `call` in a loop and thread of its own: the caller may stand inside a loop already."""
        # Loading the SDK takes seconds on a busy machine; they are not the provider's.
        import anthropic  # noqa: F401

        async def bounded() -> T:
            try:
                async with asyncio.timeout(self._deadline):
                    return await self._tried(call)
            except TimeoutError:
                # What was in flight may have been worked on.
                raise CallFailed(f"{self.name} did not answer within {self._deadline:g} s", free=False) from None

        with ThreadPoolExecutor(1) as own:
            return own.submit(asyncio.run, bounded()).result()

    async def _tried(self, call: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
        from anthropic import AnthropicError, APIConnectionError, APIError, APIStatusError

        unsent: tuple[type[Exception], ...] = (AnthropicError, *_credential_errors())
        ends = monotonic() + self._deadline
        async with self._connect() as client:
            for tries in range(self._retries_max + 1):
                try:
                    return await call(client)
                except APIStatusError as error:
                    failure, asked = self._refused(error), _retry_after(error)
                    if error.status_code not in PASSING:
                        raise failure from error
                except APIConnectionError as error:
                    failure, asked = self._unreachable(error), 0.0
                    if not failure.free:
                        raise failure from error
                except unsent as error:
                    # Credentials fail before anything leaves. Of the rest nobody knows.
                    free = not isinstance(error, APIError | RuntimeError)
                    raise CallFailed(f"{self.name}: {_one_line(error)}", free=free) from error
                wait = max(asked, self._backoff(tries))
                if tries == self._retries_max:
                    raise failure
                if monotonic() + wait >= ends:
                    raise CallFailed(f"{failure}; the next try would be {wait:.0f} s away, past the deadline", free=True)
                await asyncio.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _backoff(self, tries: int) -> float:
        ceiling = min(WAIT_MAX_SECONDS, WAIT_FIRST_SECONDS * 2.0**tries)
        return self._chance.uniform(ceiling / 2, ceiling)

    def _refused(self, error: APIStatusError) -> CallFailed:
        free = error.status_code not in TIMED_OUT
        return CallFailed(f"{self.name} answered {error.status_code}: {_said(error)}", free=free)

    def _unreachable(self, error: APIConnectionError) -> CallFailed:
        """A connection that never came about carried no request; any other may have."""
        import httpx2

        never = isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout)
        return CallFailed(f"{self.name} cannot be reached: {_one_line(error.__cause__ or error)}", free=never)


def _credential_errors() -> tuple[type[Exception], ...]:
    """What fails before a request leaves, for want of Google credentials: google-auth's own, and the SDK's for none at all."""
    try:
        from google.auth.exceptions import GoogleAuthError
    except ImportError:
        return (RuntimeError,)
    return GoogleAuthError, RuntimeError


def _whole(body: bytes) -> Message:
    """A message that did not come as a stream."""
    from anthropic.types import Message

    values = json.loads(body)
    if values["type"] != "message":
        raise ValueError(f"it is no message but {values['type']!r}: {values.get('error')}")
    return Message.construct(**values)


def _reply_of(message: Message, request_id: str) -> Reply:
    """Raises one of STRANGE for a message that cannot be read, or whose bill cannot."""
    if message.stop_reason is None:
        # The SDK takes a stream that ends early for a whole one, with the usage it began with.
        raise ValueError("it ended without a reason to stop")
    used = message.usage
    kept_1h = _tokens(used.cache_creation.ephemeral_1h_input_tokens) if used.cache_creation else 0
    kept = _tokens(used.cache_creation_input_tokens or 0)
    # JSON can carry half a character, which no file and no hash can.
    blocks = tuple(_kept(block.to_dict(mode="python", exclude_none=True)) for block in message.content)
    for block in blocks:
        block.pop("parsed_output", None)
    text = "".join(_text(block["text"]) for block in blocks if block["type"] == "text")
    if len(text) > TEXT_CHARS_MAX:
        raise ValueError(f"it is {len(text)} characters long")
    return Reply(
        text=text,
        stop_reason=_text(message.stop_reason), model=_text(message.model), content=blocks, request_id=request_id,
        usage=Usage(
            input_tokens=_tokens(used.input_tokens), output_tokens=_tokens(used.output_tokens),
            cache_write_5m_tokens=max(kept - kept_1h, 0), cache_write_1h_tokens=kept_1h,
            cache_read_tokens=_tokens(used.cache_read_input_tokens or 0),
        ),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is a {type(value).__name__}")
    return value


def _tokens(value: object) -> int:
    """A number of tokens. Less than none would give money back, and what is no number cannot be booked."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= TOKENS_MAX:
        raise ValueError(f"{value!r} is no number of tokens"[:80])
    return value


def _kept(value: Any) -> Any:
    """JSON values as they can be stored: every half character replaced. Raises TypeError or ValueError for what cannot be."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {_kept(str(name)): _kept(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_kept(each) for each in value]
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise TypeError(f"a reply holds a {type(value).__name__}")


def _said(error: APIStatusError) -> str:
    """The provider's own words where they stand in the usual place, else everything it answered."""
    told = error.body.get("error") if isinstance(error.body, dict) else None
    if isinstance(told, dict) and isinstance(told.get("message"), str):
        return _one_line(f"{told.get('type', 'error')}, {told['message']!r}")
    return _one_line(error)


def _retry_after(error: APIStatusError) -> float:
    """Seconds the provider asks us to wait; 0.0 where it does not say so in seconds."""
    text = error.response.headers.get("retry-after", "")
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0


def _one_line(error: object) -> str:
    """An error's text, which a stranger may have written, on one line and cut."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"
