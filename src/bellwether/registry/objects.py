"""Releases in a bucket, each under the hash of its content, with a copy of what is used at hand."""

from collections.abc import Mapping

from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from bellwether.core.errors import ConfigError, MissingRecord, StorageError, TamperedArtifact
from bellwether.core.types import ReleaseFiles
from bellwether.links.bucket import BucketLink, for_objects
from bellwether.registry.content import HASHES, MANIFEST, is_id, opened, seal
from bellwether.registry.folder import FolderReleases
from bellwether.telemetry import get_logger

NO_BUCKET = "NoSuchBucket"


class ObjectReleases:
    """The ReleaseStore port on S3.

    A bucket has no renaming. What makes a release is therefore its manifest, which is written last
    and only if it is not there yet: a reader sees all of a release or nothing, and writers of the
    same content do not disturb each other. What a killed writer leaves behind is no release, and
    is overwritten when the same content is saved again.

    A release never changes, so what was loaded or saved here once is served from `cache` from then
    on, without asking anybody; a copy that was tampered with is fetched anew.

    Parameters
    ----------
    url
        s3://bucket or s3://bucket/prefix.
    options
        Endpoint, region and keys, by the names that Delta gives them.
    cache
        A folder of this machine.

    Raises
    ------
    ConfigError
        If `url` or an option cannot be used.
    """

    def __init__(self, url: str, options: Mapping[str, str], cache: FolderReleases) -> None:
        self._link = BucketLink("releases", url, (BaseError, OSError))
        self._cache = cache
        try:
            self._bucket = S3Store.from_url(url, **for_objects(options))
        except (BaseError, ValueError) as error:
            raise ConfigError("releases_url", f"{url} is not s3://bucket/prefix") from error

    def save(self, files: Mapping[str, bytes], manifest: Mapping[str, object]) -> str:
        """Keep a release and return its id."""
        release_id, text = seal(files, manifest)
        with self._link.guard():
            if self._read(release_id, MANIFEST) is None:
                for name, content in files.items():
                    self._bucket.put(f"{release_id}/{name}", content)
                self._finish(release_id, text)
        self._keep(files, manifest)
        return release_id

    def _finish(self, release_id: str, manifest: bytes) -> None:
        try:
            self._bucket.put(
                f"{release_id}/{MANIFEST}", manifest, mode="create", use_multipart=False
            )
        except AlreadyExistsError:
            return  # another process saved the same content first

    def load(self, release_id: str) -> ReleaseFiles:
        """Return a release, every file checked against its hash."""
        try:
            return self._cache.load(release_id)
        except MissingRecord:
            pass
        except (StorageError, TamperedArtifact) as error:
            get_logger(__name__).warning("release_copy_spoiled", why=str(error))
        with self._link.guard():
            found = opened(release_id, lambda name: self._read(release_id, name))
        self._cache.discard(release_id)
        self._keep(found.files, {k: v for k, v in found.manifest.items() if k != HASHES})
        return found

    def ids(self) -> list[str]:
        """List the ids of the releases that are kept in the bucket."""
        with self._link.guard():
            paths = [entry["path"] for batch in self._bucket.list() for entry in batch]
        folders = (p.removesuffix(f"/{MANIFEST}") for p in paths if p.endswith(f"/{MANIFEST}"))
        return sorted(filter(is_id, folders))

    def _read(self, release_id: str, name: str) -> bytes | None:
        try:
            return bytes(self._bucket.get(f"{release_id}/{name}").bytes())
        except FileNotFoundError as error:
            if NO_BUCKET in str(error):
                raise
            return None

    def _keep(self, files: Mapping[str, bytes], manifest: Mapping[str, object]) -> None:
        try:
            self._cache.save(files, manifest)
        except StorageError as error:  # a full disk does not keep a release from being used
            get_logger(__name__).warning("release_not_kept_at_hand", why=str(error))
