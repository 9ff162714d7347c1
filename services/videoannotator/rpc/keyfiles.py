"""Secrets that the processes of a site share: from the settings, or files that are made once."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from videoannotator.domain.errors import InvalidSetting, StorageDenied
from videoannotator.settings import Settings, variable

KEY_BYTES = 32
WORKER_KEY = "worker.key"
INTERNAL_TOKEN = "internal.token"  # noqa: S105 - the name of a file
MODE = 0o600


def internal_token(settings: Settings) -> str:
    """What the api shows to the scheduler. Raises: InvalidSetting, StorageDenied."""
    given = settings.rpc.internal_token.get_secret_value()
    return given or kept(settings, INTERNAL_TOKEN, "rpc.internal_token")


def worker_key(settings: Settings) -> bytes:
    """What workers' tokens are computed from. Raises: InvalidSetting, StorageDenied."""
    given = settings.rpc.worker_key.get_secret_value()
    return bytes.fromhex(given or kept(settings, WORKER_KEY, "rpc.worker_key"))


def kept(settings: Settings, name: str, setting: str) -> str:
    """The secret `name`, which `setting` does not give, from the storage folder.

    Raises: InvalidSetting without a folder that all processes of the site share; StorageDenied.
    """
    if not settings.storage.url:
        return read_or_make(secrets_folder(settings), name)
    raise InvalidSetting(
        f"{variable(setting)} is missing. With {variable('storage.url')} it must be given: no "
        "folder is shared in which it could be kept.",
        hint="Make one with 'openssl rand -hex 32' and give it to every api and scheduler.",
        field=variable(setting),
    )


def secrets_folder(settings: Settings) -> Path:
    """Where the files are when the settings hold no secrets."""
    return settings.storage.root.absolute() / "secrets"


def read_or_make(folder: Path, name: str) -> str:
    """The secret `name` in `folder`, hexadecimal; made when it is not there yet.

    Two processes that make it at the same time end with the same one. Raises: InvalidSetting when
    others can read it, StorageDenied when it cannot be read or made.
    """
    path = folder / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        _check_mode(path)
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise StorageDenied(f"The secret {name} cannot be read or made.") from error


def _make(path: Path) -> None:
    """Written aside and linked: it appears whole, and the first one wins."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(aside)
    finally:
        aside.unlink()


def _check_mode(path: Path) -> None:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise InvalidSetting(
            f"Others can read the secret {path.name}.",
            hint=f"Run chmod 600 on {path.name} in the folder 'secrets' of the storage.",
            field="storage.root",
        )
