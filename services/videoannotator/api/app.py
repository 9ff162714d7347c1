"""The application: routes, what surrounds them, and its life."""

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from videoannotator import __version__
from videoannotator.api import problems
from videoannotator.api.auth import Authentication
from videoannotator.api.middleware import BodyLimit, Plain, RequestContext
from videoannotator.api.openapi import describe
from videoannotator.api.operations.assembly import Operations
from videoannotator.api.routes import events, health, jobs, pipelines, results, site, system
from videoannotator.api.routes.routing import add_routes
from videoannotator.blobs.interface import BlobStore
from videoannotator.settings import Settings
from videoannotator.store.access import Access

#: What is asked for most comes first.
ROUTERS: tuple[APIRouter, ...] = (
    jobs.router,
    results.router,
    health.router,
    system.router,
    pipelines.router,
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
    settings: Settings, operations: Operations, access: Access, blobs: BlobStore
) -> FastAPI:
    """The REST interface on these parts, which stay the caller's to close.

    A server closes `operations` when it begins to stop: that ends the event streams, and it waits
    for open connections before the application's own end.
    """
    app = routed()
    app.state.operations = operations
    app.state.blobs = blobs
    problems.register(app)
    _surround(app, settings, access)
    return app


def routed() -> FastAPI:
    """The routes and their document, without what answers and surrounds them."""
    app = FastAPI(
        title="VideoAnnotator API",
        version=__version__,
        redirect_slashes=False,
        docs_url=None,  # the framework's pages load their scripts from a foreign server
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # ours is telemetry.metrics
    )
    add_routes(app, *ROUTERS)
    describe(app)
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
