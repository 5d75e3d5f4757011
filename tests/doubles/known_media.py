"""What the Media plug-in of a Known site does with an upload: it looks at the extension, and at nothing else."""

from __future__ import annotations

from tests.doubles.known_http import Request, Upload
from tests.doubles.known_site import Refused, Site, StoredFile

EXTENSIONS = {"mp4", "mov", "webm", "ogg", "mpeg", "mp3", "m4a", "wav", "vorbis"}
_TYPES = {
    "mp4": "video/mp4",
    "mov": "video/mov",
    "webm": "video/webm",
    "wav": "audio/wav",
    "ogg": "audio/ogg",
    "mp3": "audio/mpeg",
    "m4a": "audio/x-m4a",
    "mpeg": "video/mpeg",
}


def recording(site: Site, request: Request, *, editing: bool) -> list[StoredFile]:
    """The file to be attached; none when an edit keeps (or, without a word, did not get) one."""
    upload = next((file for file in request.files if file.field == "media"), None)
    too_large = upload is not None and len(upload.content) > site.limits.upload_max_filesize
    if upload is None or too_large or not upload.name:
        if editing:
            return []  # the trap of an edit: 200, and the old file is still there
        if too_large:
            raise Refused("The uploaded file exceeds the upload_max_filesize directive in php.ini")
        raise Refused("We couldn't access your media for an unknown reason. Please try again.")
    extension = upload.name.rpartition(".")[2].lower() if "." in upload.name else ""
    if not extension:
        raise Refused("We couldn't access your media. Please try again.")
    if extension not in EXTENSIONS:
        raise Refused(f"This doesn&#039;t seem to be a media file .. {upload.media_type}")
    if not site.writable:
        raise Refused(("Something went wrong saving your file.", "alert-info"), "Media wasn't attached.")
    return [_stored(upload, extension)]


def _stored(upload: Upload, extension: str) -> StoredFile:
    kind = upload.media_type
    if kind == "application/octet-stream":
        kind = _TYPES.get(extension, kind)
    return StoredFile(upload.name, kind, upload.content)
