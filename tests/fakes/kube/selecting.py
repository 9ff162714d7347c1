"""Label selectors, as the API server reads them."""

import re
from typing import Any

PART = re.compile(r"([^,(]+(?:\([^)]*\))?)")


def selects(selector: str, body: dict[str, Any]) -> bool:
    """Whether the object's labels fit: `a=b,c!=d,e,!f,g in (h,i)`."""
    labels = body.get("metadata", {}).get("labels") or {}
    return all(_fits(part.strip(), labels) for part in PART.findall(selector))


def _fits(part: str, labels: dict[str, str]) -> bool:
    if " in " in part:
        key, _, values = part.partition(" in ")
        return labels.get(key.strip()) in [each.strip() for each in values.strip("() ").split(",")]
    if "!=" in part:
        key, _, value = part.partition("!=")
        return labels.get(key) != value
    if "=" in part:
        key, _, value = part.replace("==", "=").partition("=")
        return labels.get(key) == value
    return part[1:] not in labels if part.startswith("!") else part in labels
