"""What a list of jobs may be asked for."""

from typing import Literal

from pydantic import BaseModel, Field

from videoannotator.api.bodies.times import Given
from videoannotator.domain.jobs import JobState
from videoannotator.store.rows import JobFilter


class Wanted(BaseModel):
    """Which jobs, in which order, which page."""

    page: int = Field(1, ge=1, le=1_000_000, description="Number of the page, from 1.")
    per_page: int = Field(10, ge=1, le=100, description="Most jobs on a page.")
    status_filter: str | None = Field(
        None,
        description="Jobs in this state alone; `queued` is the same as `pending`. A word that is "
        "no state finds nothing.",
        examples=["running"],
    )
    pipeline: str | None = Field(
        None,
        max_length=100,
        description="Jobs with this pipeline alone.",
        examples=["scene_detection"],
    )
    owner: str | None = Field(
        None, max_length=64, description="Jobs of the user with this id, for administrators."
    )
    created_after: Given | None = Field(
        None, description="Jobs submitted after this time. Without a zone it is UTC."
    )
    created_before: Given | None = Field(
        None, description="Jobs submitted before this time. Without a zone it is UTC."
    )
    search: str | None = Field(
        None,
        max_length=255,
        description="Jobs whose video's name has this text in it, or whose id begins with it.",
        examples=["clip"],
    )
    sort: Literal["newest", "oldest"] = Field("newest", description="Which come first.")

    def state(self) -> JobState | None:
        """The state asked for, None for none or for a word that is no state."""
        word = "pending" if self.status_filter == "queued" else self.status_filter
        return JobState(word) if word in list(JobState) else None

    def filter(self) -> JobFilter:
        """The same for the store."""
        return JobFilter(
            status=self.state(),
            pipeline=self.pipeline,
            owner_id=self.owner,
            created_after=self.created_after,
            created_before=self.created_before,
            search=self.search,
            oldest_first=self.sort == "oldest",
        )
