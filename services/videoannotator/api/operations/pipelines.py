"""Pipelines: what there is, and whether a configuration fits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from videoannotator.api.operations.auditing import Hook, use_case
from videoannotator.api.operations.submission import check, choose, named_in
from videoannotator.domain.access import Principal
from videoannotator.domain.errors import InvalidConfig, PipelineUnavailable, Problem
from videoannotator.pipelines.catalogue import Availability, Catalogue
from videoannotator.pipelines.interface import PipelineSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A pipeline and whether it can run here."""

    spec: PipelineSpec
    availability: Availability


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A parameter that nobody knows."""

    pipeline: str
    name: str
    suggestion: str  #: the nearest known name, or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is wrong with a configuration, and what is only odd."""

    pipelines: tuple[str, ...]
    problems: tuple[Problem, ...] = ()
    ignored: tuple[Ignored, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOperations:
    """What a caller, or a stranger, may ask about pipelines."""

    catalogue: Catalogue
    hook: Hook

    @use_case("pipeline.list")
    async def list(self, principal: Principal | None) -> tuple[Listed, ...]:
        """Every pipeline that users may choose."""
        return tuple(self._listed(spec) for spec in self.catalogue.listed())

    @use_case("pipeline.read")
    async def get(self, principal: Principal | None, name: str) -> Listed:
        """One pipeline. Raises: PipelineNotFound."""
        return self._listed(self.catalogue.get(name))

    def _listed(self, spec: PipelineSpec) -> Listed:
        return Listed(spec=spec, availability=self.catalogue.availability(spec.name))

    @use_case("pipeline.validate")
    async def validate_one(
        self, principal: Principal | None, name: str, config: Mapping[str, Any]
    ) -> Verdict:
        """Checks parameters of one pipeline, alone or in its section. Raises: PipelineNotFound."""
        return self._verdict([self.catalogue.get(name)], config)

    @use_case("config.validate")
    async def validate(
        self,
        principal: Principal | None,
        config: Mapping[str, Any],
        selected: tuple[str, ...] | None,
    ) -> Verdict:
        """Checks a configuration for the pipelines selected, or for those that it names."""
        if selected is None:
            return self._verdict(named_in(config, self.catalogue), config)
        try:
            return self._verdict(choose(selected, self.catalogue) if selected else [], config)
        except InvalidConfig as error:
            return Verdict(pipelines=selected, problems=error.problems)
        except PipelineUnavailable as error:
            return Verdict(pipelines=selected, problems=(_unavailable(error),))

    def _verdict(self, specs: Iterable[PipelineSpec], config: Mapping[str, Any]) -> Verdict:
        checked = {spec.name: check(spec, config, self.catalogue) for spec in specs}
        return Verdict(
            pipelines=tuple(checked),
            problems=tuple(problem for each in checked.values() for problem in each.problems),
            ignored=tuple(
                Ignored(pipeline=name, name=key, suggestion=near)
                for name, each in checked.items()
                for key, near in each.ignored.items()
            ),
        )


def _unavailable(error: PipelineUnavailable) -> Problem:
    return Problem(error.message, hint=error.hint, field=error.field, code="PIPELINE_UNAVAILABLE")
