"""`brain page`: look at a home in a browser, whether a shell runs on it or not."""

from __future__ import annotations

from typing import Annotated

import typer

from deployments.cli.homes import HomeOption, home_of
from deployments.cli.output import JsonFlag, answer, command, console_for


@command
def page(
    port: Annotated[int | None, typer.Option(help="The port to listen on, 0 for any; default: [page] port.")] = None,
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Serve the dashboard of a home until interrupted. It only reads; with --json the first line is its address.

    Beside a running shell, which serves the page itself, choose another --port.
    """
    import os
    import signal
    from threading import Event

    from deployments.links import stored_links
    from deployments.opening import settings_for
    from shell.page.server import Page
    from shell.secrets import load_secrets

    place = home_of(home)
    settings = settings_for(place, {"page.port": port} if port is not None else None)
    token = load_secrets(os.environ, place.env_file).page_token
    served = Page(place, settings, token=token, links=lambda: stored_links(place))
    ended = Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: ended.set())
    served.start()
    try:
        if as_json:
            answer({"url": served.url, "home": str(place.root)})
        else:
            console_for(False).print(f"The page of {place.root}: [bold]{served.url}[/] (Ctrl-C ends it)", soft_wrap=True)
        while not ended.wait(1.0) and not served.wait(0.0):
            pass
    finally:
        served.stop()
