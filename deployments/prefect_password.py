"""The password of Prefect's interface and pages: made once a home, or the operator's own.

Whoever may use the interface may deploy a flow, and the worker runs it as the operator: without a password that is every
account of the machine. It is handed on in the environment of our own processes alone, never in an argument or a record.
"""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from shell.errors import BadInput, Rejected
from shell.home import Home, make_private
from shell.secrets import PREFECT_API_AUTH_STRING, Secret, load_secrets

SERVER_VARIABLE = "PREFECT_SERVER_API_AUTH_STRING"
# Of the client's side; the operator's own password has the same name in `.env`, where Prefect's command finds it, too.
CLIENT_VARIABLE = PREFECT_API_AUTH_STRING
PASSWORD_FILE = "password"
# Prefect's own form, "user:password"; its page asks for the whole of it.
USER = "brain"
RANDOM_BYTES = 32
LENGTH_MIN = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Password:
    """What Prefect asks for. `place` says where it is written down, for people."""

    secret: Secret
    place: str

    def of_server(self) -> dict[str, str]:
        """For the environment of a server."""
        return {SERVER_VARIABLE: self.secret.reveal()}

    def of_client(self) -> dict[str, str]:
        """For the environment of whatever asks a server: the worker, its flows, Prefect's command."""
        return {CLIENT_VARIABLE: self.secret.reveal()}


def password_of(home: Home, environ: Mapping[str, str] | None = None) -> Password:
    """The operator's own, from the environment or `.env`; else the one that the home keeps, made where there is none.

    Raises Rejected for one that is easily guessed, BadInput for a file that cannot be read or that others can read.
    """
    return _operators(home, environ) or kept_password(home.prefect)


def known_password(home: Home, environ: Mapping[str, str] | None = None) -> Password | None:
    """The same, and None where there is none yet. Nothing is made."""
    return _operators(home, environ) or _read(home.prefect / PASSWORD_FILE)


def kept_password(folder: Path) -> Password:
    """The one kept in Prefect's folder of a home. Made here, once, whoever asks first."""
    file = folder / PASSWORD_FILE
    found = _read(file)
    if found is None:
        _make(file, f"{USER}:{secrets.token_urlsafe(RANDOM_BYTES)}")
        found = _read(file)
    if found is None:
        raise BadInput(f"{file}, Prefect's password, was removed at once by somebody else")
    return found


def password_command(home: Home) -> str:
    """The command that shows it."""
    return "brain prefect-password" + ("" if home == Home.project() else f" --home {home.root}")


def _operators(home: Home, environ: Mapping[str, str] | None) -> Password | None:
    given = load_secrets(os.environ if environ is None else environ, home.env_file).prefect_api_auth_string
    return None if given is None else _checked(given, f"{PREFECT_API_AUTH_STRING} in the environment or in {home.env_file}")


def _checked(secret: Secret, place: str) -> Password:
    text = secret.reveal()
    # Prefect compares ASCII alone: any other text would be answered with an error of the server.
    if len(text) < LENGTH_MIN or not text.isascii() or not text.isprintable():
        asked = f"{LENGTH_MIN} characters or more, letters, digits and signs of ASCII"
        raise Rejected(f"Prefect's password, {place}, has to have {asked}")
    return Password(secret=secret, place=place)


def _read(file: Path) -> Password | None:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"{file}, Prefect's password, cannot be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as opened:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            mend = "`brain down`, remove it, and `brain up` makes another one"
            raise BadInput(f"others on this machine can read {file}, Prefect's password: {mend}")
        text = opened.read().decode("utf-8", "replace").strip()
    return _checked(Secret(text), str(file))


def _make(file: Path, text: str) -> None:
    """Write it whole, its owner's alone from the first byte. Where another process was first, its file stays."""
    # The run history beside it is nobody else's, either.
    make_private(file.parent)
    try:
        # mkstemp's files have mode 0600.
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as opened:
                opened.write(f"{text}\n")
                opened.flush()
                os.fsync(opened.fileno())
            with suppress(FileExistsError):
                os.link(name, file)
        finally:
            os.unlink(name)
    except OSError as error:
        raise BadInput(f"{file}, Prefect's password, cannot be written: {error.strerror}") from None
