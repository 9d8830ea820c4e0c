"""The site: one page, its style, its scripts and two answers in JSON. Everything comes from this package."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from importlib import resources

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from shell.page.doors import Doors
from shell.page.feed import LISTENERS_MAX, Feed
from shell.secrets import Secret

_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/chart.js": ("chart.js", "text/javascript; charset=utf-8"),
    "/uPlot.js": ("uPlot.iife.min.js", "text/javascript; charset=utf-8"),
    "/uPlot.css": ("uPlot.min.css", "text/css; charset=utf-8"),
    "/uPlot.LICENSE": ("uPlot.LICENSE.md", "text/plain; charset=utf-8"),
}

Endpoint = Callable[[Request], Awaitable[Response]]


def site(feed: Feed, *, names: Iterable[str] = (), token: Secret | None = None) -> Starlette:
    """The application over `feed`. It reads and never changes anything."""

    async def view(_: Request) -> Response:
        await feed.refresh()
        return Response(feed.body, media_type="application/json")

    async def curves(_: Request) -> Response:
        return Response(await feed.curves(), media_type="application/json")

    async def events(_: Request) -> Response:
        if feed.listeners >= LISTENERS_MAX:
            return PlainTextResponse(f"{LISTENERS_MAX} pages are open already: close one.\n", 503)
        return StreamingResponse(feed.stream(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        watching = asyncio.create_task(feed.watch())
        try:
            yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    routes = [
        Route("/data/view", view), Route("/data/curves", curves), Route("/data/events", events),
        *(Route(path, _file(*found)) for path, found in _FILES.items()),
    ]
    # Events are never compressed: they would wait in the compressor. Starlette's leaves text/event-stream alone.
    middleware = [Middleware(Doors, names=names, token=token), Middleware(GZipMiddleware, minimum_size=2000, compresslevel=5)]
    return Starlette(routes=routes, middleware=middleware, lifespan=lifespan)


def _file(name: str, kind: str) -> Endpoint:
    content = resources.files("shell.page.static").joinpath(name).read_bytes()

    async def give(_: Request) -> Response:
        return Response(content, media_type=kind)

    return give
