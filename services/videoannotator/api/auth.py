"""Who calls: decided from the headers alone, before a byte of a body is read."""

import re
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from videoannotator.api.paths import route_path
from videoannotator.api.problems import refusal, request_id_of
from videoannotator.domain.access import Principal
from videoannotator.domain.errors import Forbidden, Unauthenticated, VideoAnnotatorError
from videoannotator.store.access import Access

#: What answers without a key, as the public server does. All else below /api needs one.
PUBLIC = re.compile(
    r"(?!/api/)/.*"
    r"|/api/v1/(health|config/validate)"
    r"|/api/v1/system/(health|metrics|config|database)"
    r"|/api/v1/pipelines(/[^/]+(/validate)?)?"
)
MISSING = "API key required. Set AUTH_REQUIRED=false to disable authentication."
MAX_KEY_CHARACTERS = 512


class Callers:
    """Whose key a request brought: one rule for REST and gRPC."""

    def __init__(self, access: Access, *, required: bool) -> None:
        """`required` False: everybody is the one local admin."""
        self._access = access
        self._required = required

    async def caller(self, authorization: str, *, public: bool) -> Principal | None:
        """The caller; None for a stranger, who may only ask for what is `public`.

        `authorization` is the header or metadata of this name, empty when there was none.
        Raises: Unauthenticated, DatabaseUnavailable.
        """
        try:
            return await self._principal(authorization)
        except VideoAnnotatorError:
            if public:  # a wrong key, or a database that does not answer, hides nothing public
                return None
            raise

    async def _principal(self, authorization: str) -> Principal:
        if not self._required:
            return await self._access.open_principal()
        return await self._access.principal(bearer_of(authorization))


class Authentication:
    """Puts the Principal into the request's state, or answers 401."""

    def __init__(self, app: ASGIApp, access: Access, *, required: bool) -> None:
        """`required` False: everybody is the one local admin."""
        self._app = app
        self._callers = Callers(access, required=required)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands the request on with `scope["state"]["principal"]`, which is None for a stranger."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        public = PUBLIC.fullmatch(route_path(scope)) is not None
        authorization = Headers(scope=scope).get("authorization", "")
        try:
            principal = await self._callers.caller(authorization, public=public)
        except VideoAnnotatorError as error:
            await refusal(error, request_id_of(scope))(scope, receive, send)
            return
        scope.setdefault("state", {})["principal"] = principal
        await self._app(scope, receive, send)


def bearer_of(authorization: str) -> str:
    """The key of a request. Raises: Unauthenticated when it brought none."""
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthenticated(MISSING)
    if len(key) > MAX_KEY_CHARACTERS:
        raise Unauthenticated
    return key.strip()


def principal_of(state: Any) -> Principal:
    """The caller of a request that needs one. Raises: Unauthenticated."""
    principal: Principal | None = getattr(state, "principal", None)
    if principal is None:
        raise Unauthenticated(MISSING)
    return principal


def require_admin(principal: Principal) -> None:
    """Raises: Forbidden unless the caller is an administrator."""
    if not principal.sees_all:
        raise Forbidden
