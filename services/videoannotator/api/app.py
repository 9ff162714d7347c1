"""The application: routes, what surrounds them, and its life."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from videoannotator import __version__
from videoannotator.api import problems
from videoannotator.api.auth import Authentication
from videoannotator.api.middleware import BodyLimit, Plain, RequestContext
from videoannotator.api.operations.assembly import assemble
from videoannotator.api.routes import events, health, jobs, pipelines, results, site
from videoannotator.api.wake import SchedulerClient
from videoannotator.blobs.interface import BlobStore
from videoannotator.pipelines.catalogue import Catalogue
from videoannotator.settings import Settings
from videoannotator.store.access import Access
from videoannotator.store.engine import Database

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    pipelines.router,
    jobs.router,
    results.router,
    events.router,
    site.router,
)
METHODS = ["GET", "HEAD", "POST", "DELETE", "OPTIONS"]
REQUEST_HEADERS = [
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "If-Range",
    "Last-Event-ID",
    "Range",
    "X-Request-ID",
]
RESPONSE_HEADERS = [
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Length",
    "Content-Range",
    "ETag",
    "Location",
    "Retry-After",
    "X-Request-ID",
]


def create_app(
    settings: Settings,
    database: Database,
    blobs: BlobStore,
    catalogue: Catalogue,
    scheduler: SchedulerClient,
) -> FastAPI:
    """The REST interface on these parts, which stay the caller's to close, but for `scheduler`.

    `app.state.close_streams()` ends the event streams; a server calls it when it begins to stop,
    because it waits for open connections before the application's own end.
    """
    operations = assemble(settings, database, blobs, catalogue, scheduler)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        await operations.watching.feed.close()
        await scheduler.close()

    app = FastAPI(
        title="VideoAnnotator API",
        version=__version__,
        redirect_slashes=False,
        docs_url=None,  # the framework's pages load their scripts from a foreign server
        redoc_url=None,
        lifespan=life,
    )
    app.state.operations = operations
    app.state.blobs = blobs
    app.state.close_streams = operations.watching.feed.close
    for router in ROUTERS:
        app.include_router(router)
    problems.register(app)
    _surround(app, settings, Access(database))
    return app


def _surround(app: FastAPI, settings: Settings, access: Access) -> None:
    """What surrounds the routes, from the inside outwards."""
    app.add_middleware(BodyLimit, max_bytes=settings.api.max_body_bytes)
    app.add_middleware(Authentication, access=access, required=settings.auth.required)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.api.allowed_origins,
        allow_methods=METHODS,
        allow_headers=REQUEST_HEADERS,
        expose_headers=RESPONSE_HEADERS,
    )
    app.add_middleware(Plain, root_path=settings.api.root_path)
    app.add_middleware(RequestContext)
    if settings.api.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.api.trusted_proxies)
