"""Settings of the storage: a folder, or a bucket of an S3 server."""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from videoannotator.settings.group import Group
from videoannotator.settings.kinds import NONE, TOGETHER, Seconds, only
from videoannotator.settings.variables import variable

#: As s3://bucket or s3://bucket/any/prefix; the rules of S3 for names of buckets.
BUCKET_URL = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(/(?P<prefix>[A-Za-z0-9_./-]*))?"
)
SERVER = re.compile(r"https?://([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/[^?#@\s]*)?")
WEEK_SECONDS = 7 * 24 * 3600  # S3 signs for no longer


def _checked_url(text: str) -> str:
    """`text`, which is s3://BUCKET/PREFIX, or empty for `none`. Raises: ValueError."""
    text = "" if text == NONE else text
    found = BUCKET_URL.fullmatch(text)
    if text and not (found and _is_folder(found["prefix"] or "")):
        raise ValueError("is no s3://BUCKET/PREFIX")
    return text.rstrip("/")


def _is_folder(prefix: str) -> bool:
    """No part of a prefix may be empty or lead elsewhere."""
    return all(part.strip(".") for part in prefix.rstrip("/").split("/") if prefix)


def _checked_server(text: str) -> str:
    """`text`, which is a server's address, or empty for `none`. Raises: ValueError."""
    text = "" if text == NONE else text
    if text and not SERVER.fullmatch(text):
        raise ValueError("is no address of a server")
    return text.rstrip("/")


class StorageSettings(Group):
    """Where bytes are."""

    root: Path = Field(
        default=Path("storage"),
        description="Folder of uploads, videos and results. Made when it is missing. With a url it "
        "holds only what belongs to the machine itself.",
    )
    url: Annotated[str, AfterValidator(_checked_url)] = Field(
        default="",
        json_schema_extra=only("s3://BUCKET or s3://BUCKET/PREFIX, or none"),
        description="s3://BUCKET/PREFIX, to keep uploads, videos and results on an S3 server. "
        "Empty or none: in the folder.",
    )
    endpoint: Annotated[str, AfterValidator(_checked_server)] = Field(
        default="",
        json_schema_extra=only("https://HOST, or http://HOST:PORT, without a login; or none"),
        description="Address of the S3 server, as workers reach it, too. Empty or none: "
        "that of AWS for the region.",
    )
    region: str = Field(
        default="us-east-1",
        pattern="^[a-z0-9-]+$",
        json_schema_extra=only("a name as eu-central-1"),
        description="Region of the bucket; servers other than AWS mostly know this one.",
    )
    access_key_id: SecretStr = Field(
        default=SecretStr(""),
        description="Access key for the bucket. Empty: what the machine or pod was given by AWS.",
    )
    secret_access_key: SecretStr = Field(
        default=SecretStr(""),
        json_schema_extra=only("the secret that belongs to the access key"),
        description="The secret that belongs to the access key. Workers never get either.",
    )
    signed_seconds: float = Field(
        default=3600.0,
        gt=0,
        le=WEEK_SECONDS,
        allow_inf_nan=False,
        description="Time for which the addresses hold that workers get to read a video and to "
        "write results.",
    )
    resign_seconds: Seconds = Field(
        default=1800.0,
        description="Time after which workers get new addresses: half of the above, so that one "
        "failure does no harm.",
    )

    @property
    def bucket(self) -> str:
        """Name of the bucket; empty without a url."""
        found = BUCKET_URL.fullmatch(self.url)
        return found["bucket"] if found else ""

    @property
    def prefix(self) -> str:
        """What all keys in the bucket begin with, without a slash at its end; may be empty."""
        found = BUCKET_URL.fullmatch(self.url)
        return (found["prefix"] or "") if found else ""

    @model_validator(mode="after")
    def _replaces_in_time(self) -> Self:
        if self.resign_seconds >= self.signed_seconds:
            signed = f"{variable('storage.signed_seconds')}, which is {self.signed_seconds:g}"
            fits = f"a number more than 0 and less than {signed}"
            raise _misfit("resign_seconds", f"{self.resign_seconds:g}", fits)
        return self

    @model_validator(mode="after")
    def _has_both_keys_or_none(self) -> Self:
        if bool(self.access_key_id.get_secret_value()) != bool(
            self.secret_access_key.get_secret_value()
        ):
            fits = f"given together with {variable('storage.access_key_id')}, or neither"
            raise _misfit("secret_access_key", "***", fits)
        return self

    @model_validator(mode="after")
    def _names_a_bucket_with_a_server(self) -> Self:
        if self.endpoint and not self.url:
            raise _misfit(
                "url", NONE, f"s3://BUCKET/PREFIX, as {variable('storage.endpoint')} is given"
            )
        return self


def _misfit(field: str, value: str, allowed: str) -> PydanticCustomError:
    told = {"field": field, "value": value, "allowed": allowed}
    return PydanticCustomError(TOGETHER, "does not fit another setting", told)
