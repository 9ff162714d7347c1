"""metrics.md: every metric that the program keeps."""

from typing import Any

from reference.markdown import code, page, table
from videoannotator.telemetry import metrics

KINDS = ("counter", "gauge", "histogram")


def kept() -> list[Any]:
    """Every metric of the program, by name."""
    found = [each for each in vars(metrics).values() if hasattr(each, "describe")]
    own = [each for each in found if not isinstance(each, type) and _told(each).type in KINDS]
    return sorted(own, key=lambda each: str(_told(each).name))


def _told(metric: Any) -> Any:
    return next(iter(metric.describe()))


def _name(metric: Any) -> str:
    told = _told(metric)
    return f"{told.name}_total" if told.type == "counter" else str(told.name)


def _rows() -> list[tuple[str, str, str, str]]:
    return [
        (
            code(_name(each)),
            _told(each).type,
            ", ".join(code(label) for label in each._labelnames),
            _told(each).documentation,
        )
        for each in kept()
    ]


def page_of_metrics() -> str:
    """The page."""
    return page(
        "Metrics",
        "`/metrics` gives them to Prometheus. Each process counts for itself: take sums over "
        "processes. A histogram has `_bucket`, `_count` and `_sum`; times are in seconds. The "
        "Prometheus client adds `process_…` and `python_…` of the process itself.",
        table(["metric", "type", "labels", "what it tells"], _rows()),
    )
