"""Opens the blob store that the settings name: the one place that knows which kinds there are."""

from videoannotator.blobs.files import FileBlobs
from videoannotator.blobs.interface import BlobStore, SigningBlobStore
from videoannotator.domain.errors import InvalidSetting
from videoannotator.settings import StorageSettings, variable


def open_blobs(storage: StorageSettings) -> BlobStore:
    """The site's blob store. Nothing is read or made before its first use.

    Raises: InvalidSetting.
    """
    return signing_blobs(storage) or FileBlobs(storage.root)


def signing_blobs(storage: StorageSettings) -> SigningBlobStore | None:
    """The site's blob store when it can sign addresses; None: it is a folder.

    Raises: InvalidSetting.
    """
    if not storage.url:
        return None
    try:
        from videoannotator.blobs.s3 import S3Blobs
    except ImportError as error:
        raise InvalidSetting(
            f"{variable('storage.url')} names an S3 server, and the library for it is missing.",
            hint="Install it with: pip install 'videoannotator[s3]'.",
            field=variable("storage.url"),
        ) from error
    return S3Blobs(storage)
