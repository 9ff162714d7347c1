"""What a list of jobs may be asked for."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from videoannotator.domain.jobs import JobState
from videoannotator.store.rows import JobFilter


def _aware(instant: datetime) -> datetime:
    """A time without a zone is taken as UTC."""
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_aware)]


class Wanted(BaseModel):
    """Which jobs, in which order, which page."""

    page: int = Field(1, ge=1, le=1_000_000)
    per_page: int = Field(10, ge=1, le=100)
    status_filter: str | None = Field(None, description="A state; another word finds nothing.")
    pipeline: str | None = Field(None, max_length=100)
    owner: str | None = Field(None, max_length=64, description="For administrators: whose.")
    created_after: Moment | None = None
    created_before: Moment | None = None
    search: str | None = Field(
        None, max_length=255, description="In the video's name, or the beginning of the id."
    )
    sort: Literal["newest", "oldest"] = "newest"

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
