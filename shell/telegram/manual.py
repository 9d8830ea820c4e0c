"""docs/telegram.md, written from the table of commands, the kinds of messages and the rules in force, so that it cannot drift.

`python -m shell.telegram.manual > docs/telegram.md` writes it; a test compares the two.
"""

from __future__ import annotations

import sys

from shell.notices.kinds import KINDS
from shell.telegram.commands import COMMANDS
from shell.telegram.confirm import VALID_SECONDS
from shell.telegram.gate import AGE_MAX

_INTRODUCTION = """\
# Telegram

The bot reports and takes commands. It runs beside trading, in a thread of its own: when Telegram, the network or the bot
itself fails, trading goes on, messages keep in the database, and they are sent once it works again.

## Setting it up

1. Write to [@BotFather](https://t.me/BotFather): `/newbot`. It answers with a token.
2. Put the token into `.env`: `TELEGRAM_BOT_TOKEN=...`. It is shown nowhere: not in logs, messages, reports or the database.
3. Open a chat with your new bot and press Start. Bots cannot write to people who never did that.
4. Find your numeric id (bots such as @userinfobot tell it) and put it into `config/settings.toml`:

   ```toml
   [telegram]
   owner_ids = [123456789]
   ```

5. Start the shell. The bot says "System online, X positions, $Y portfolio".

One token serves one system. When a second program fetches messages with the same token, Telegram refuses both in turn, and
`/health` and the log say so: stop the other one, or give this system a bot of its own.

`base_url` in `[telegram]` names another Bot API server, such as one you run yourself.

## Commands

"""

_RULES = """\

## Who may command

- The people in `owner_ids`, in their own private chat with the bot. Everybody else, groups, channels, edited and forwarded
  messages are ignored and counted; `/health` shows the counts.
- A message older than {age:.0f} s does nothing: what waited while the system or the network was down is left behind, and you
  are told how many. A button that was pressed while Telegram could not be reached does nothing either.
- Commands marked *code* ask first. The question has a button and a code; both hold for {valid:.0f} s, once, for the person who
  asked. A restart forgets them.
- Commands that change something are carried out one after another. `/kill` waits for none of them; where the shell does not
  answer at once, it leaves a note that is heeded before the next step.
- An answer that says **Unknown** means that the shell began and did not finish in time: look at `/status` before you ask again.
- Whatever you close or stop goes through the same risk checks and the same record as everything else, under your name and id.

## Messages

Each says what happened and, after the arrow, what to do. Many of a kind are put together. During quiet hours (`quiet_from`,
`quiet_until`, in the account's time zone) messages wait until morning, except critical ones and those marked *at once*. Kinds
in `muted` are not sent at all; those marked *at once* cannot be switched off.

| kind | tells | do | |
|---|---|---|---|
"""


def manual() -> str:
    """The whole page."""
    rows = ["| command | does | |", "|---|---|---|"]
    for each in COMMANDS.values():
        rows.append(f"| `{each.usage}` | {each.does} | {'code' if each.confirmed else ''} |")
    kinds = [
        f"| `{kind.name}` | {kind.tells} | {kind.action} | {'at once' if kind.urgent else ''} |" for kind in KINDS.values()
    ]
    rules = _RULES.format(age=AGE_MAX.total_seconds(), valid=VALID_SECONDS)
    return _INTRODUCTION + "\n".join(rows) + "\n" + rules + "\n".join(kinds) + "\n"


if __name__ == "__main__":
    sys.stdout.write(manual())
