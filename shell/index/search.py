"""Full-text search over the index, by SQLite's FTS5 in memory, whatever database the ledger is in.

The index is derived and small (thousands of short texts take milliseconds), so it is built for the question and kept
nowhere: nothing to keep in step, nothing to write beside a running shell, and PostgreSQL needs no other path.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence

from shell.errors import BadInput, NotNow
from shell.index.entry import IndexEntry

_WORD = re.compile(r"[\w.:-]+", re.UNICODE)
# What is said of an idea weighs more than the text of its program.
_WEIGHTS = (5.0, 4.0, 3.0, 3.0, 1.0)
QUERY_CHARACTERS_MAX = 200


def search(entries: Sequence[IndexEntry], query: str, limit: int = 20) -> list[IndexEntry]:
    """Entries that hold every word of `query` (each may be the beginning of a longer one), the most relevant first.

    Names, hypotheses, tags and providers, reasons and verdicts, and code are searched. Raises BadInput for a query without a
    word or too long, NotNow where this Python's SQLite has no FTS5.
    """
    if len(query) > QUERY_CHARACTERS_MAX:
        raise BadInput(f"the query has {len(query)} characters, {QUERY_CHARACTERS_MAX} are allowed")
    words = _WORD.findall(query)
    if not words:
        raise BadInput("the query holds no word to look for")
    # Quoted, so that no word of the query is taken for an operator of the search language.
    asked = " ".join(f'"{word}"*' for word in words)
    with sqlite3.connect(":memory:") as connection:
        try:
            connection.execute(
                "CREATE VIRTUAL TABLE entries USING fts5(name, hypothesis, tags, reasons, code, tokenize='porter unicode61')"
            )
        except sqlite3.OperationalError as error:
            raise NotNow(f"this Python's SQLite cannot search full text: {error}") from None
        connection.executemany(
            "INSERT INTO entries(rowid, name, hypothesis, tags, reasons, code) VALUES (?, ?, ?, ?, ?, ?)",
            [(number, *_texts(entry)) for number, entry in enumerate(entries)],
        )
        weights = ", ".join(str(weight) for weight in _WEIGHTS)
        rows = connection.execute(
            f"SELECT rowid FROM entries WHERE entries MATCH ? ORDER BY bm25(entries, {weights}), rowid LIMIT ?", (asked, limit)
        ).fetchall()
    connection.close()
    return [entries[number] for (number,) in rows]


def _texts(entry: IndexEntry) -> tuple[str, str, str, str, str]:
    return (
        f"{entry.name} {entry.candidate_id} {entry.hash}", entry.hypothesis,
        " ".join((*entry.tags, entry.provider, entry.change_class)),
        " ".join((*entry.reasons, entry.verdict, entry.stage)), entry.code,
    )
