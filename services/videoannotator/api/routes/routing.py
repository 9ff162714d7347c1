"""Routers, and how their routes come into the application."""

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute


def router_for(tag: str, prefix: str = "") -> APIRouter:
    """A router whose routes are one chapter of the reference."""
    return APIRouter(prefix=prefix, tags=[tag], generate_unique_id_function=operation_id)


def operation_id(route: APIRoute) -> str:
    """What a route is called in generated clients: the name of its function."""
    return route.name


def add_routes(app: FastAPI, *routers: APIRouter) -> None:
    """Adds the routes themselves, asked in this order.

    Tried: `include_router` keeps each router, looks through all of them for every request, and
    through the fitting one twice; that was most of what the framework did for a request.
    """
    for router in routers:
        app.router.routes += router.routes
