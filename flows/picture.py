"""The equity of the last days as a picture in Prefect: one SVG, inside the artifact itself, so that no file is served."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from html import escape

from prefect.artifacts import acreate_image_artifact

Points = Sequence[tuple[datetime, float]]

WIDTH, HEIGHT = 720, 260
# Room for the figures on the left and the dates below.
LEFT, RIGHT, TOP, BOTTOM = 84, 14, 16, 28
KEY = "equity"
INK, GRID, LINE = "#44505c", "#d5dbe1", "#1668c4"


async def show_equity(points: Points) -> None:
    """Keep the picture; nothing where there is no line to draw yet."""
    if len(points) > 1:
        await acreate_image_artifact(image_url=data_uri(equity_svg(points)), key=KEY, description=told(points))


def told(points: Points) -> str:
    """The picture in words."""
    values = [value for _, value in points]
    days = (points[-1][0] - points[0][0]).total_seconds() / 86_400
    return (
        f"Equity {values[-1]:,.2f} after {days:.1f} days that began with {values[0]:,.2f}; "
        f"lowest {min(values):,.2f}, highest {max(values):,.2f}"
    )


def equity_svg(points: Points) -> str:
    """A line over time with its lowest, highest and last value. Needs two points of different times."""
    begins, ends = points[0][0], points[-1][0]
    values = [value for _, value in points]
    low, high = min(values), max(values)
    span, seconds = (high - low) or 1.0, (ends - begins).total_seconds() or 1.0
    # A flat line lies in the middle.
    base = low if high > low else low - 0.5

    def place(at: datetime, value: float) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * (at - begins).total_seconds() / seconds
        return across, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - base) / span

    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(at, value) for at, value in points))
    rules = "".join(_rule(place(begins, value)[1], f"{value:,.2f}") for value in sorted({low, high}))
    x, y = place(ends, values[-1])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="12" fill="{INK}"><title>{escape(told(points))}</title>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>{rules}'
        f'<polyline fill="none" stroke="{LINE}" stroke-width="1.8" points="{line}"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{LINE}"/>'
        f'<text x="{LEFT}" y="{HEIGHT - 8}">{begins:%Y-%m-%d}</text>'
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{ends:%Y-%m-%d %H:%M} UTC</text></svg>'
    )


def data_uri(svg: str) -> str:
    """The picture as an address that contains it."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _rule(y: float, text: str) -> str:
    return (
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRID}"/>'
        f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
    )
