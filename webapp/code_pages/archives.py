"""Several files as one download: a zip of which the same files make the same bytes."""

import zipfile
from collections.abc import Iterable
from io import BytesIO

from snippets.rendering import CodeFile

LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip can name. Source: PKWARE APPNOTE, 4.4.6."""
UNIX = 3
FILE_MODE = 0o100644


def zipped(files: Iterable[CodeFile]) -> bytes:
    """Return a zip with each file at its path. Stored as they are, since compressors differ from version to version."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as entries:
        for file in files:
            entry = zipfile.ZipInfo(file.path, LONG_AGO)
            entry.create_system, entry.external_attr = UNIX, FILE_MODE << 16
            entries.writestr(entry, file.code)
    return archive.getvalue()
