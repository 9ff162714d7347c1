"""SubmitJob: a stream of messages as the fields of a submission and its video."""

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

from videoannotator.api.operations.jobs import JobOperations
from videoannotator.api.operations.submission import Request, plan
from videoannotator.api.servicers.calls import to_its_end
from videoannotator.api.uploads import MAX_FIELD_BYTES, File, video_too_large
from videoannotator.blobs import keys
from videoannotator.blobs.interface import BlobStore
from videoannotator.domain.access import Principal
from videoannotator.domain.errors import InvalidRequest, TooLarge
from videoannotator.rpc.well_known import struct_from
from videoannotator.store.rows import JobRows
from videoannotator.telemetry.metrics import UPLOAD_BYTES

Messages = AsyncIterator[Any]


async def submit(
    use: JobOperations, blobs: BlobStore, caller: Principal, messages: Messages
) -> JobRows:
    """Submits what the first message asks for, with the bytes of the others.

    Raises: what the use case raises, and InvalidRequest for messages in another order.
    """
    wanted = await _specification(messages)
    request = _request(wanted)
    counted = await to_its_end(use.admit(caller, wanted.upload.size_bytes))
    key = keys.incoming(uuid.uuid4().hex)
    try:
        with use.uploads.unless_refused(caller.user_id, counted):
            plan(request, use.catalogue, caller)  # who asks for nonsense need not send the video
            video = await _video(wanted, messages, use, blobs, key)
            return await to_its_end(use.submit(caller, request, video))
    finally:
        await to_its_end(blobs.delete_prefix(key))  # moved by now, unless something went wrong


async def _specification(messages: Messages) -> Any:
    first = await anext(messages, None)
    if first is None or first.WhichOneof("content") != "specification":
        raise InvalidRequest(
            "The first message does not say what is asked for.",
            hint="Send 'specification' first, then the chunks of the upload.",
            field="specification",
        )
    return first.specification


def _request(wanted: Any) -> Request:
    config = json.dumps(struct_from(wanted.config))
    if len(config) > MAX_FIELD_BYTES:
        raise TooLarge(
            f"The field 'config' has more than {MAX_FIELD_BYTES} bytes.",
            hint="Send only parameters.",
            field="config",
        )
    return Request(
        config=config,
        selected_pipelines=json.dumps(list(wanted.selected_pipelines)),
        priority=str(wanted.priority),
        idempotency_key=wanted.idempotency_key or None,
    )


async def _video(
    wanted: Any, messages: Messages, use: JobOperations, blobs: BlobStore, key: str
) -> File | str:
    match wanted.WhichOneof("video"):
        case "upload":
            return await _upload(wanted.upload, messages, use, blobs, key)
        case "video_id":
            async for _ in messages:
                raise InvalidRequest(
                    "Send either 'upload' or 'video_id'.",
                    hint="After the id of a stored video no other message follows.",
                    field="video",
                )
            return str(wanted.video_id)
        case _:
            raise InvalidRequest(
                "There is no video.", hint="Say 'upload' or 'video_id'.", field="video"
            )


async def _upload(
    upload: Any, messages: Messages, use: JobOperations, blobs: BlobStore, key: str
) -> File:
    most = use.limits.max_upload_bytes
    try:
        stored = await blobs.put(key, _chunks(messages, upload.size_bytes), max_bytes=most)
    except TooLarge as error:
        raise video_too_large(most) from error
    UPLOAD_BYTES.inc(stored.size_bytes)
    return File(filename=upload.filename, key=key, stored=stored)


async def _chunks(messages: Messages, size_bytes: int) -> AsyncIterator[bytes]:
    """The bytes, exactly so many: gRPC tells a broken connection like the end of a stream."""
    left = size_bytes
    async for message in messages:
        if message.WhichOneof("content") != "chunk" or not message.chunk:
            raise _bad_upload("A message after the first brings no bytes.")
        left -= len(message.chunk)
        if left < 0:
            raise _bad_upload(f"The upload has more than the announced {size_bytes} bytes.")
        yield message.chunk
    if left:
        raise _bad_upload(f"The upload ended {left} bytes before its announced end.")


def _bad_upload(told: str) -> InvalidRequest:
    return InvalidRequest(
        told,
        hint="Say the size of the file in 'upload.size_bytes', then send all of it in 'chunk'.",
        field="video",
    )
