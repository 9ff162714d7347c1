"""Workers that hold no key of the storage: what they read and write is signed for them."""

import asyncio
from collections.abc import Iterable

from videoannotator.blobs.interface import SigningBlobStore
from videoannotator.blobs.opening import signing_blobs
from videoannotator.domain.jobs import Worker
from videoannotator.formats.manifest import MANIFEST_NAME
from videoannotator.pipelines.catalogue import Catalogue
from videoannotator.scheduler.places import Addresses, attempt_folder
from videoannotator.settings import StorageSettings
from videoannotator.store.rows import JobRows


class SignedPlaces:
    """Each worker gets an address for its video and one for each file it may write."""

    def __init__(
        self,
        blobs: SigningBlobStore,
        catalogue: Catalogue,
        *,
        signed_seconds: float,
        resign_seconds: float,
    ) -> None:
        """Addresses hold for `signed_seconds` and are replaced every `resign_seconds`."""
        self.renewed_every_seconds: float | None = resign_seconds
        self.late_write_seconds = signed_seconds
        self._blobs = blobs
        self._catalogue = catalogue

    async def prepare(self, rows: JobRows, worker: Worker) -> None:
        """Nothing: a bucket has no folders."""

    async def of(self, rows: JobRows, worker: Worker) -> Addresses:
        """Addresses signed now. Raises: StorageError, PipelineNotFound."""
        folder = attempt_folder(rows, worker)
        run = next(run for run in rows.runs if run.id == worker.run_id)
        outputs = [output.name for output in self._catalogue.get(run.pipeline).outputs]
        url, signed, manifest_url = await asyncio.gather(
            self._blobs.sign_get(rows.video.key, self.late_write_seconds),
            self._written(folder, [*outputs, MANIFEST_NAME]),
            self._blobs.sign_get(f"{folder}/{MANIFEST_NAME}", self.late_write_seconds),
        )
        return Addresses(url=url, signed=signed, manifest_url=manifest_url)

    async def _written(self, folder: str, names: Iterable[str]) -> dict[str, str]:
        return {
            name: await self._blobs.sign_put(f"{folder}/{name}", self.late_write_seconds)
            for name in names
        }


def signed_places(storage: StorageSettings, catalogue: Catalogue) -> SignedPlaces | None:
    """The places of workers when the storage can sign; None: it is a folder.

    Raises: InvalidSetting.
    """
    blobs = signing_blobs(storage)
    if blobs is None:
        return None
    return SignedPlaces(
        blobs,
        catalogue,
        signed_seconds=storage.signed_seconds,
        resign_seconds=storage.resign_seconds,
    )
