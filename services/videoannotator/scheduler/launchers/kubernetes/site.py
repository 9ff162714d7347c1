"""What the operator of a cluster decides about workers, as the chart writes it into one file."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from videoannotator.domain.errors import InvalidSetting, PipelineUnavailable
from videoannotator.pipelines.interface import PipelineSpec

#: A day. Only a backstop: the scheduler's own limits are shorter.
LONGEST_LIFE_SECONDS = 86_400.0
NOBODY = 10_001  #: user and group of our images
HINT = "The operator must mend the chart's values; 'helm upgrade' then writes the file again."


def _text(value: object) -> object:
    """A number as text: 2 and "2" are the same amount."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


#: An amount as Kubernetes writes it: 2, 500m, 4Gi.
Quantity = Annotated[
    str,
    BeforeValidator(_text),
    Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"),
]
Labels = Mapping[
    Annotated[str, Field(pattern=r"^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,62})$")],
    Annotated[str, Field(pattern=r"^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$")],
]
Name = Annotated[str, Field(min_length=1, max_length=253)]
MaybeName = Annotated[Name | None, BeforeValidator(lambda value: None if value == "" else value)]


class Part(BaseModel):
    """A part of the file; its keys are written like those of the chart: `nodeSelector`."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
    )


class Toleration(Part):
    """A taint of nodes on which workers may run nevertheless, as Kubernetes writes it."""

    key: str | None = None
    operator: str | None = Field(default=None, pattern="^(Exists|Equal|Lt|Gt)$")
    value: str | None = None
    effect: str | None = Field(default=None, pattern="^(NoSchedule|PreferNoSchedule|NoExecute)$")
    toleration_seconds: int | None = None


class Placement(Part):
    """Where the workers of one pipeline run, with which image, and how much they may use."""

    image: Name
    cpu: Quantity = Field(default="1", description="Requested; a worker may use more.")
    memory: Quantity = Field(default="2Gi", description="Requested, and the limit.")
    ephemeral_storage: Quantity = Field(default="10Gi", description="Requested, and the limit.")
    gpus: int | None = Field(default=None, ge=0, description="None: as the pipeline declares.")
    gpu_resource: Name = Field(
        default="nvidia.com/gpu", description="As nvidia.com/mig-1g.5gb where GPUs are cut up."
    )
    longest_seconds: float = Field(
        default=LONGEST_LIFE_SECONDS,
        gt=0,
        description="Longest life of a worker, from its place on a node: image, start and work.",
    )
    node_selector: Mapping[str, str] = {}
    tolerations: tuple[Toleration, ...] = ()
    runtime_class: MaybeName = None
    priority_class: MaybeName = None
    scheduler_name: MaybeName = None
    labels: Labels = Field(default={}, description="More labels, as kueue.x-k8s.io/queue-name.")


class Site(Part):
    """One release of the chart in one namespace."""

    release: Name
    namespace: Name
    pipelines: Mapping[str, Placement] = Field(
        description="By the name of a pipeline, or of the part that it is in: scene, speech."
    )
    image_pull_policy: str = Field(default="IfNotPresent", pattern="^(IfNotPresent|Always|Never)$")
    image_pull_secrets: tuple[Name, ...] = ()
    service_account: MaybeName = Field(
        default=None, description="Of workers; its token is never mounted. None: the namespace's."
    )
    labels: Labels = {}
    volume_claim: MaybeName = Field(
        default=None, description="Claim of the volume with videos and results; None: S3."
    )
    models_claim: MaybeName = Field(
        default=None, description="Claim of the volume with weights, mounted read-only."
    )
    certificate_secret: MaybeName = Field(
        default=None, description="Secret with tls.crt, tls.key and ca.crt; None: no TLS."
    )
    run_as_user: int = Field(default=NOBODY, ge=1)
    run_as_group: int = Field(default=NOBODY, ge=1)
    fs_group: int | None = Field(default=None, ge=1)
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    orphan_grace_seconds: float = Field(default=600.0, gt=0)
    stop_grace_seconds: float = Field(default=30.0, gt=0)

    def placement(self, spec: PipelineSpec) -> Placement:
        """Where workers of a pipeline run. Raises: PipelineUnavailable when nobody decided it."""
        found = self.pipelines.get(spec.name) or self.pipelines.get(spec.extra)
        if found is None:
            raise PipelineUnavailable(
                f"Pipeline '{spec.name}' cannot run in this cluster: it has no image here.",
                hint=f"The operator must add pipelines.{spec.extra} to the chart's values.",
                field=spec.name,
            )
        return found


def read_site(text: str) -> Site:
    """The site from its file, which is JSON. Raises: InvalidSetting, naming every bad field."""
    try:
        return Site.model_validate_json(text)
    except ValidationError as error:
        told = [_line(each) for each in error.errors(include_url=False, include_input=False)]
        raise InvalidSetting(
            "The file of the site has values that are not allowed: " + "; ".join(told) + ".",
            hint=HINT,
            field=told[0].partition(":")[0],
        ) from error


def _line(problem: ErrorDetails) -> str:
    """The field at fault, as `pipelines.scene.memory`, and what is wrong with it."""
    place = ".".join(str(step) for step in problem["loc"]) or "the whole file"
    if problem["type"] == "extra_forbidden":
        return f"{place}: there is no such key"
    return f"{place}: {problem['msg'][0].lower()}{problem['msg'][1:]}"
