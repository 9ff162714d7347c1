"""Every command in the documentation exists, every link leads somewhere."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main
from typer.core import TyperGroup
from typer.testing import CliRunner

from tests.architecture.cluster_commands import check_helm, check_kubectl
from tests.architecture.source import ROOT
from videoannotator.cli import plugin
from videoannotator.cli.main import app

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FENCE = re.compile(r"^```(sh|console|bash|shell)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
# What a shell does by itself, or what brings the repository here.
SHELL_WORDS = frozenset({"cd", "export", "git", "ls"})
# Programs that come with PostgreSQL.
DATABASE_WORDS = frozenset({"pg_dump", "pg_restore"})
# Its requests are sent to a real server by test_documented_requests.py.
REQUESTS = "docs/guides/use-the-rest-interface.md"
# Its calls are made to a real server by test_documented_calls.py.
CALLS = "docs/guides/use-the-grpc-interface.md"


def commands(text: str) -> Iterator[str]:
    """The commands in the fenced blocks of a page; in a `console` block those after `$ `."""
    for kind, block in FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if kind == "console" and not line.startswith("$ "):
                continue
            command = line.removeprefix("$ ").strip()
            if command and not command.startswith("#"):
                yield command


def all_commands() -> list[tuple[str, str]]:
    """Every command of every page."""
    return [
        (str(page.relative_to(ROOT)), command)
        for page in PAGES
        for command in commands(page.read_text(encoding="utf-8"))
    ]


def make_targets() -> set[str]:
    """Targets of the Makefile that are called by name."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE))


def check_make(words: list[str]) -> None:
    """Every word that is no VARIABLE=value is a target."""
    targets = {word for word in words[1:] if "=" not in word}
    assert targets <= make_targets(), f"no such make target: {targets - make_targets()}"


def options(command: Any) -> set[str]:
    """The options that a command knows."""
    return {option for parameter in command.params for option in parameter.opts} | {"--help"}


def ends_here(group: TyperGroup, rest: list[str]) -> bool:
    """Whether a group is called without a command of its own, and may be."""
    return group.invoke_without_command and (not rest or rest[0].startswith("-"))


def check_videoannotator(words: list[str], program: typer.Typer = app) -> None:
    """The sub-command exists, knows every option that is given, and explains itself."""
    command: Any = typer.main.get_command(program)
    path: list[str] = []
    while isinstance(command, TyperGroup) and not ends_here(command, words[len(path) + 1 :]):
        word = words[len(path) + 1] if len(words) > len(path) + 1 else "(none)"
        assert word in command.commands, f"no such sub-command: {word}"
        command = command.commands[word]
        path.append(word)
    given = {word.split("=")[0] for word in words if word.startswith("-")}
    assert given <= options(command), f"no such option: {given - options(command)}"
    assert CliRunner().invoke(program, [*path, "--help"]).exit_code == 0


def check(page: str, command: str) -> None:
    """Raises: AssertionError when the command would not work."""
    words = shlex.split(command, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    match words:
        case ["make", *_]:
            check_make(words)
        case ["videoannotator" | ".venv/bin/videoannotator", *_]:
            check_videoannotator(words)
        case ["kubectl", "videoannotator", *_]:
            check_videoannotator(words[1:], plugin.app)
        case ["kubectl", *_]:
            check_kubectl(words)
        case ["helm", *_]:
            check_helm(words)
        case ["curl", *_]:
            assert page == REQUESTS, f"requests belong into {REQUESTS}, where a test sends them"
        case ["grpcurl", *_]:
            assert page == CALLS, f"calls belong into {CALLS}, where a test makes them"
        case _:
            known = SHELL_WORDS | DATABASE_WORDS
            assert words[0] in known, "only make, videoannotator, kubectl, helm, curl and grpcurl"


@pytest.mark.parametrize(("page", "command"), all_commands())
def test_a_command_in_the_documentation_exists(page: str, command: str) -> None:
    check(page, command)


@pytest.mark.parametrize(
    "command",
    [
        "make coffee",
        "videoannotator",
        "videoannotator jobs",
        "videoannotator job sumbit clip.mp4",
        "videoannotator job list --colour",
        "curl http://localhost:18011/",
        "grpcurl localhost:50051 list",
        "python -m videoannotator",
        "kubectl videoannotator",
        "kubectl videoannotator why --colour",
        "kubectl edit role",
        "helm remove va",
    ],
)
def test_a_command_that_does_not_exist_is_found_out(command: str) -> None:
    with pytest.raises(AssertionError):
        check("README.md", command)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))

    dead = [
        target for target in targets if ":" not in target and not (page.parent / target).exists()
    ]

    assert dead == []


def test_every_page_is_found_from_the_index() -> None:
    found, new = set(), {ROOT / "docs" / "README.md"}
    while new:
        page = new.pop()
        found.add(page)
        targets = LINK.findall(page.read_text(encoding="utf-8"))
        linked = {(page.parent / target).resolve() for target in targets if ":" not in target}
        new |= {each for each in linked if each in PAGES} - found

    lost = [str(page.relative_to(ROOT)) for page in PAGES if page not in found]

    assert [page for page in lost if page.startswith("docs/")] == []


def test_make_help_explains_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    explained = set(re.findall(r"^([a-z-]+):.* ## \S", makefile, re.MULTILINE))

    assert explained == make_targets()


def test_continuous_integration_calls_make_and_nothing_else() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    called = re.findall(r"^make (\S+)", script, re.MULTILINE)

    assert called == ["check", "docs", "test"]
    assert set(called) <= make_targets()
