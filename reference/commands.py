"""cli.md: every command and option of `videoannotator` and of `kubectl videoannotator`."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer.main

from reference.markdown import code, page, table
from videoannotator.cli import plugin
from videoannotator.cli.exits import epilog
from videoannotator.cli.main import app

NAME = "videoannotator"
PLUGIN = ("kubectl", NAME)
WORDS: dict[Any, str] = {int: "NUMBER", float: "NUMBER", Path: "PATH"}
HEAD = ["option", "default", "what it does"]


def commands(command: Any, path: tuple[str, ...] = (NAME,)) -> Iterator[tuple[str, Any]]:
    """A command and all below it, each with the words that call it."""
    below = getattr(command, "commands", {})
    if not below or command.invoke_without_command:
        yield " ".join(path), command
    for name in sorted(below):
        yield from commands(below[name], (*path, name))


def _is_option(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "option")


def _usage(path: str, command: Any) -> str:
    arguments = [_argument(each) for each in command.params if not _is_option(each)]
    options = ["[OPTIONS]"] if any(_is_option(each) for each in command.params) else []
    return " ".join([path, *options, *arguments])


def _argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper() + ("..." if parameter.nargs < 0 else "")
    return name if parameter.required else f"[{name}]"


def _row(parameter: Any) -> tuple[str, str, str]:
    if not _is_option(parameter):
        return code(_argument(parameter)), "", _help(parameter)
    names = ", ".join(code(each) for each in [*parameter.opts, *parameter.secondary_opts])
    kind = "" if parameter.is_flag else f" {_kind(parameter)}"
    return names + kind, _default(parameter), _help(parameter)


def _kind(parameter: Any) -> str:
    kind = parameter.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(code(str(each.value)) for each in kind)
    if get_origin(kind) is Literal:
        return " or ".join(code(str(each)) for each in get_args(kind))
    return str(parameter.metavar or WORDS.get(kind, "TEXT"))


def _default(parameter: Any) -> str:
    if parameter.required:
        return "must be given"
    value = parameter.default
    if value is None or callable(value) or value in ((), [], False, ""):
        return ""
    return code(str(getattr(value, "value", value)))


def _help(parameter: Any) -> str:
    return " ".join((getattr(parameter, "help", "") or "").split())


def _section(path: str, command: Any) -> list[str]:
    told = (command.help or "").replace("\b", "").strip()
    rows = [_row(each) for each in command.params if not getattr(each, "hidden", False)]
    usage = f"```text\n{_usage(path, command)}\n```"
    return [f"## {path}", told, usage, table(HEAD, rows)]


def page_of_commands() -> str:
    """The page."""
    whole = typer.main.get_command(app)
    of_the_plugin = commands(typer.main.get_command(plugin.app), PLUGIN)
    both = [*commands(whole), *of_the_plugin]
    parts = [part for path, each in both for part in _section(path, each)]
    return page(
        "Commands",
        "Every command takes `--help`. " + " ".join(epilog().split()),
        *parts,
    )
