"""Who may do what."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

OWNER_HASH_LENGTH = 16


class Role(StrEnum):
    """What a user may do at this site."""

    ADMIN = "admin"  #: everything, also on what others own
    RESEARCHER = "researcher"  #: submit, and all on what they own


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who owns things."""

    id: str
    name: str
    role: Role
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key, without its secret."""

    id: str
    user_id: str
    name: str
    prefix: str  #: the first characters after `va_`, to recognise it by
    sha256: str  #: of the whole key, hexadecimal
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The caller of one request."""

    user_id: str
    name: str
    role: Role
    group_ids: tuple[str, ...] = ()
    key_id: str | None = None  #: None when the site runs without authentication

    @property
    def sees_all(self) -> bool:
        """May read and change what others own."""
        return self.role is Role.ADMIN


def owner_hash(owner_id: str) -> str:
    """Stands for an owner in metrics and labels, which many people may read: 16 hex digits."""
    return hashlib.sha256(owner_id.encode()).hexdigest()[:OWNER_HASH_LENGTH]
