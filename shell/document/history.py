"""How the document changed over a period, from its kept versions. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from shell.document.notes import difference
from shell.store.documents import DocumentKind, StoredDocument


def changes(kept: Sequence[StoredDocument], start: datetime, end: datetime) -> tuple[Sequence[str], Sequence[str]]:
    """The lines of the difference from the version at `start` to that at `end`, and why rewrites between were refused."""
    versions = [each for each in kept if each.kind not in (DocumentKind.YEARLY, DocumentKind.REFUSED) and each.at <= end]
    refused = [each.sentence for each in kept if each.kind is DocumentKind.REFUSED and start <= each.at <= end]
    if not versions:
        return (), refused
    earlier = [each for each in versions if each.at < start]
    return difference((earlier[-1] if earlier else versions[0]).text, versions[-1].text), refused
