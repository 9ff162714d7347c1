"""The pipelines of this installation, their availability, and the check of their parameters.

Everything here is light: the engine of a pipeline is imported by `implementation` alone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from videoannotator.domain.errors import InvalidSetting, PipelineNotFound, PipelineUnavailable
from videoannotator.pipelines.interface import Pipeline, PipelineSpec
from videoannotator.pipelines.parameters import Validated, nearest, validate
from videoannotator.settings import Settings, variable

GROUP = "videoannotator.pipelines"  #: of entry points; third parties register in it as we do


SITE_FILE = "kubernetes.site_file"
NO_IMAGE = "The operator must add the pipeline to the chart's values."


class Readiness(StrEnum):
    """Whether a pipeline can run in this installation."""

    AVAILABLE = "available"
    MISSING_PART = "missing_part"  #: a library that an extra brings
    MISSING_WEIGHTS = "missing_weights"


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """Whether a pipeline can run here, and what to do when it cannot."""

    state: Readiness = Readiness.AVAILABLE
    reason: str = ""
    command: str = ""  #: what brings the missing part


@dataclass(frozen=True)
class Catalogue:
    """Every pipeline that is known here, by name."""

    specs: Mapping[str, PipelineSpec]
    #: workers run on other machines, which have what these pipelines need, by name or by the part
    #: that they are in; None: workers run here
    elsewhere: frozenset[str] | None = None

    @classmethod
    def load(cls, elsewhere: frozenset[str] | None = None) -> "Catalogue":
        """Reads the entry points of the group; imports the light specifications alone."""
        found: list[PipelineSpec] = [entry.load() for entry in entry_points(group=GROUP)]
        specs = {spec.name: spec for spec in sorted(found, key=lambda spec: spec.name)}
        return cls(specs, elsewhere)

    def get(self, name: str) -> PipelineSpec:
        """The specification of a pipeline. Raises: PipelineNotFound, naming the known ones."""
        spec = self.specs.get(name)
        if spec is None:
            raise PipelineNotFound(f"Pipeline '{name}' not found.", hint=self._hint(name))
        return spec

    def listed(self) -> tuple[PipelineSpec, ...]:
        """What users may choose from, by name."""
        return self._listed

    def availability(self, name: str) -> Availability:
        """Whether the pipeline can run here, without importing its engine.

        Raises: PipelineNotFound.
        """
        spec = self.get(name)
        if self.elsewhere is not None:
            return _elsewhere(spec, self.elsewhere)
        missing = [module for module in spec.requires if not _is_installed(module)]
        if not missing:
            return Availability()
        return Availability(
            state=Readiness.MISSING_PART,
            reason=f"It needs {', '.join(missing)}, which is not installed here.",
            command=f"pip install 'videoannotator[{spec.extra}]'",
        )

    def require(self, name: str) -> PipelineSpec:
        """The specification of a pipeline that can run here.

        Raises: PipelineNotFound, PipelineUnavailable with the command that mends it.
        """
        spec, available = self.get(name), self.availability(name)
        if available.state is not Readiness.AVAILABLE:
            raise PipelineUnavailable(
                f"Pipeline '{name}' cannot run here. {available.reason}",
                hint=f"Run: {available.command}" if available.command else NO_IMAGE,
                field=name,
            )
        return spec

    def validate(self, name: str, values: Mapping[str, object], *, strict: bool) -> Validated:
        """Checks parameters of a pipeline; see `parameters.validate`. Raises: PipelineNotFound."""
        return validate(self.get(name), values, strict=strict)

    @cached_property
    def _listed(self) -> tuple[PipelineSpec, ...]:
        return tuple(spec for spec in self.specs.values() if spec.listed)

    def _hint(self, name: str) -> str:
        known = ", ".join(spec.name for spec in self._listed)
        near = nearest(name, self.specs)
        return (f"Did you mean '{near}'? " if near else "") + f"Known pipelines: {known}."


def catalogue_of(settings: Settings) -> Catalogue:
    """The catalogue for this installation: workers run here, or in a cluster.

    Raises: InvalidSetting.
    """
    path = settings.kubernetes.site_file
    if settings.scheduler.launcher != "kubernetes" or path is None:
        return Catalogue.load()
    return Catalogue.load(elsewhere=placed_in(path))


def placed_in(site_file: Path) -> frozenset[str]:
    """The names under `pipelines` in the file of a site. Raises: InvalidSetting."""
    try:
        site = json.loads(site_file.read_text(encoding="utf-8"))
        return frozenset(site["pipelines"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidSetting(
            f"The file that {variable(SITE_FILE)} names cannot be read.",
            hint="It is JSON with the key pipelines; the chart writes it.",
            field=SITE_FILE,
        ) from error


def _elsewhere(spec: PipelineSpec, known: frozenset[str]) -> Availability:
    if spec.name in known or spec.extra in known:
        return Availability()
    reason = "It has no image in this cluster."
    return Availability(state=Readiness.MISSING_PART, reason=reason)


def implementation(spec: PipelineSpec) -> type[Pipeline]:
    """The class that does the work. Heavy: imports the engine. Raises: PipelineUnavailable."""
    module, _, name = spec.implementation.partition(":")
    try:
        found: type[Pipeline] = getattr(import_module(module), name)
    except ImportError as error:
        raise PipelineUnavailable(
            f"Pipeline '{spec.name}' cannot be loaded here: {error}.",
            hint=f"Run: pip install 'videoannotator[{spec.extra}]'",
            field=spec.name,
        ) from error
    return found


_INSTALLED: set[str] = set()


def _is_installed(module: str) -> bool:
    """Whether it can be imported. What was found once is not looked for again."""
    if module in _INSTALLED:
        return True
    if find_spec(module) is None:
        return False
    _INSTALLED.add(module)
    return True
