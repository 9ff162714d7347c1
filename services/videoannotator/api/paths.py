"""Paths of requests, and the methods that they have."""

import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from starlette.types import Scope


def route_path(scope: Scope) -> str:
    """The path below the root path, without the slash at its end."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    if root and (path == root or path.startswith(root + "/")):
        path = path[len(root) :]
    return path.rstrip("/") or "/"


def allowed(app: FastAPI, path: str) -> list[str]:
    """The methods of an address, of all its routes: the framework names those of the first."""
    documented: Mapping[str, Mapping[str, Any]] = app.openapi()["paths"]
    fitting = [own for template, own in documented.items() if _fits(template, path)]
    methods = fitting[0] if fitting else ("get", "head")  # the document itself is not in it
    return sorted(method.upper() for method in methods)


def _fits(template: str, path: str) -> bool:
    pattern = re.sub(r"\{\w+\}", "[^/]+", template)
    return re.fullmatch(pattern, path) is not None
