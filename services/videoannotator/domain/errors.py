"""Our exception tree. Each error is an answer to somebody; its message says what to do next.

* VideoAnnotatorError
  + InvalidRequest                 the request itself is wrong
    - InvalidConfig                a pipeline or a parameter is unknown or out of bounds
    - InvalidSetting               a setting has a bad value; the process refuses to start
    - TooLarge                     more bytes than allowed
    - UnsupportedType              bytes of a kind that is not accepted
  + Unauthenticated                no key, or a wrong one
  + Forbidden                      the key is right, its role is not enough
  + NotFound                       there is none, or none that the caller may see
    - JobNotFound
    - VideoNotFound
    - PipelineNotFound
    - ArtifactNotFound
    - WorkerNotFound
  + Conflict                       the thing is in a state that does not allow this
    - JobAlreadyEnded
    - NothingFinished              results asked for before there are any
    - IdempotencyMismatch          the same Idempotency-Key with another request
    - PipelineUnavailable          known, but weights or a part are missing here
    - IllegalTransition            a bug: a state was changed against its table
  + LimitReached                   a limit of the caller's; later it may work
  + Unavailable                    a part that is needed does not answer; later it may work
    - NotLeader                    this scheduler is not, or no longer, the leader
    - DatabaseUnavailable
    - SchemaMismatch               the database has another schema than this program
    - WorkerUnreachable            a worker did not answer
  + StorageError                   bytes could not be read or written
    - StorageFull
    - StorageDenied
    - BlobNotFound
  + MediaError                     the video cannot be decoded; says why and at what second
  + ManifestInvalid                the manifest does not fit the files beside it
  + Stopped                        the work was asked to stop, and did
"""


class VideoAnnotatorError(Exception):
    """Something went wrong in VideoAnnotator."""

    hint: str = ""

    def __init__(self, message: str = "", *, hint: str = "", field: str | None = None) -> None:
        """`message` defaults to the first line of the class's docstring.

        `hint` says what to do next; `field` names the input at fault, as `pipeline.parameter` or
        a form field.
        """
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.hint = hint or self.hint
        self.field = field
        super().__init__(self.message)


class InvalidRequest(VideoAnnotatorError):
    """The request is not valid."""


class Problem(VideoAnnotatorError):
    """One thing that is wrong with a configuration; carried by InvalidConfig."""

    def __init__(
        self,
        message: str = "",
        *,
        hint: str = "",
        field: str | None = None,
        code: str = "INVALID_VALUE",
    ) -> None:
        """`code` is public: INVALID_TYPE, VALUE_OUT_OF_RANGE, UNKNOWN_FIELD, INVALID_VALUE."""
        super().__init__(message, hint=hint, field=field)
        self.code = code


class InvalidConfig(InvalidRequest):
    """Configuration validation failed."""

    def __init__(
        self,
        message: str = "",
        *,
        hint: str = "",
        field: str | None = None,
        problems: tuple[Problem, ...] = (),
    ) -> None:
        """`problems` lists every field at fault, the first one also as `field`."""
        super().__init__(
            message, hint=hint, field=field or (problems[0].field if problems else None)
        )
        self.problems = problems


class InvalidSetting(InvalidRequest):
    """A setting has a value that is not allowed."""


class TooLarge(InvalidRequest):
    """More bytes than this server accepts."""


class UnsupportedType(InvalidRequest):
    """This type of content is not accepted here."""


class Unauthenticated(VideoAnnotatorError):
    """Invalid or expired token"""

    hint = (
        "Send the header 'Authorization: Bearer <key>'. "
        "A key is made with 'videoannotator token create'."
    )


class Forbidden(VideoAnnotatorError):
    """This key may not do that."""

    hint = "Ask an administrator of this site."


class NotFound(VideoAnnotatorError):
    """There is no such thing."""


class JobNotFound(NotFound):
    """Job not found."""

    hint = "List your jobs with GET /api/v1/jobs."


class VideoNotFound(NotFound):
    """Video not found."""

    hint = "The id of a video is the field video_id of its jobs; send the file when it is gone."


class PipelineNotFound(NotFound):
    """Pipeline not found."""

    hint = "List the pipelines with 'videoannotator pipelines list' or GET /api/v1/pipelines."


class ArtifactNotFound(NotFound):
    """There is no such result file."""

    hint = "List the files of a job with GET /api/v1/jobs/{id}/results."


class WorkerNotFound(NotFound):
    """There is no such worker."""

    hint = "List the workers with 'videoannotator scheduler status' or GET /api/v1/capacity."


class Conflict(VideoAnnotatorError):
    """The state of the thing does not allow this."""


class JobAlreadyEnded(Conflict):
    """The job has already ended."""


class NothingFinished(Conflict):
    """Nothing of this job is finished yet."""

    hint = "Wait until a pipeline of the job has succeeded."


class IdempotencyMismatch(Conflict):
    """This Idempotency-Key was used with another request."""

    hint = "Use a new key for a new request."


class PipelineUnavailable(Conflict):
    """The pipeline is known, but cannot run here."""

    hint = "See what is missing with 'videoannotator pipelines list' or GET /api/v1/pipelines."


class IllegalTransition(Conflict):
    """A state was changed against its table of transitions."""


class LimitReached(VideoAnnotatorError):
    """A limit was reached."""

    hint = "Try again later."

    def __init__(
        self,
        message: str = "",
        *,
        hint: str = "",
        field: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        """`retry_after_seconds` is when it will work again, None when nobody knows."""
        super().__init__(message, hint=hint, field=field)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(VideoAnnotatorError):
    """A part of the service does not answer."""

    hint = "Try again in a moment."

    def __init__(
        self,
        message: str = "",
        *,
        hint: str = "",
        field: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        """`retry_after_seconds` is what the part itself asked for, None when it did not tell."""
        super().__init__(message, hint=hint, field=field)
        self.retry_after_seconds = retry_after_seconds


class NotLeader(Unavailable):
    """This scheduler is not the leader."""


class DatabaseUnavailable(Unavailable):
    """The database does not answer."""


class SchemaMismatch(Unavailable):
    """The database has another schema than this program."""

    hint = "Run 'videoannotator db upgrade'."


class WorkerUnreachable(Unavailable):
    """The worker does not answer."""


class StorageError(VideoAnnotatorError):
    """Bytes could not be read or written."""


class StorageFull(StorageError):
    """The storage is full."""

    hint = "Free space or ask the operator for more, then send it again."


class StorageDenied(StorageError):
    """The storage does not allow this."""

    hint = "The operator must check the owner and the mode of the storage folder."


class BlobNotFound(StorageError):
    """There are no bytes under this key."""


class MediaError(VideoAnnotatorError):
    """The video cannot be decoded."""

    hint = "Play the file in another program; convert it to MP4 (H.264, AAC) if only that works."

    def __init__(self, message: str = "", *, hint: str = "", second: float | None = None) -> None:
        """`second` is the presentation time at which it broke, None when it never began."""
        super().__init__(message, hint=hint)
        self.second = second


class ManifestInvalid(VideoAnnotatorError):
    """The manifest does not fit the files beside it."""


class Stopped(VideoAnnotatorError):
    """The work was asked to stop."""
