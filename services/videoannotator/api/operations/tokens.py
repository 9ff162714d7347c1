"""Keys: who I am, which keys there are, a new one, one less."""

from dataclasses import dataclass
from datetime import datetime

from videoannotator.api.operations.auditing import Hook, use_case
from videoannotator.domain.access import ApiKey, Principal
from videoannotator.domain.errors import Forbidden, NotFound
from videoannotator.store.access import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key with its secret, which is shown this once."""

    key: ApiKey
    secret: str

    @property
    def id(self) -> str:
        """Of the key."""
        return self.key.id


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenOperations:
    """What a caller may do with keys: with their own, an administrator with all."""

    access: Access
    hook: Hook

    @use_case("token.list")
    async def keys(self, principal: Principal) -> list[ApiKey]:
        """The caller's keys; all of them for an administrator."""
        return await self.access.keys(None if principal.sees_all else principal.user_id)

    @use_case("token.create", recorded=True)
    async def create(
        self,
        principal: Principal,
        *,
        name: str,
        user_id: str | None = None,
        expires_at: datetime | None = None,
    ) -> NewKey:
        """A new key, for the caller or, by an administrator, for another user.

        Raises: Forbidden, NotFound.
        """
        owner = user_id or principal.user_id
        if owner != principal.user_id and not principal.sees_all:
            raise Forbidden("Only an administrator may make keys for others.")
        key, secret = await self.access.create_key(owner, name, expires_at)
        return NewKey(key=key, secret=secret)

    @use_case("token.revoke", recorded=True)
    async def revoke(self, principal: Principal, key_id: str) -> ApiKey:
        """Ends a key at once. Raises: NotFound for one that is not the caller's."""
        own = await self.access.keys(None if principal.sees_all else principal.user_id)
        if key_id not in {key.id for key in own}:
            raise NotFound("There is no such key.", hint="List the keys with GET /api/v1/tokens.")
        return await self.access.revoke(key_id)
