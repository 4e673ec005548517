"""Zips: written the same to the byte every time, read as if an enemy had made them."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from ..errors import DossierError

#: limits on what is read
MAX_ARCHIVE = 512 * 2**20
MAX_MEMBERS = 500
MAX_MEMBER = 1024 * 2**20
MAX_TOTAL = 1536 * 2**20
#: deflate cannot do better than about 1030; text of ours stays far below 200
MAX_RATIO = 400
_RATIO_FLOOR = 2**20
_CHUNK = 1 << 20
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)
_ENCRYPTED = 0x1


def write_archive(path: str | os.PathLike[str], members: Mapping[str, bytes]) -> None:
    """Write a zip with fixed times, order and permissions."""
    with zipfile.ZipFile(path, "w", compression=zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, date_time=_FIXED_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, members[name])


def read_archive(path: str | os.PathLike[str]) -> dict[str, bytes]:
    """Return the members of a zip, by name. Raises `DossierError` on anything suspicious, and `OSError`.

    Nothing is ever written to the disk, so a name cannot lead anywhere; names that
    try are refused all the same.
    """
    if Path(path).stat().st_size > MAX_ARCHIVE:
        raise DossierError(f"the file is larger than {MAX_ARCHIVE >> 20} MiB")
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            _check_directory(infos)
            members = {}
            left = MAX_TOTAL
            for info in infos:
                members[info.filename] = _read_member(archive, info, min(left, MAX_MEMBER))
                left -= len(members[info.filename])
            return members
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError) as error:
        raise DossierError(f"not a readable zip: {error}") from None
    except RuntimeError as error:
        raise DossierError(f"the zip cannot be read: {error}") from None


def _check_directory(infos: list[zipfile.ZipInfo]) -> None:
    if len(infos) > MAX_MEMBERS:
        raise DossierError(f"the zip has {len(infos)} members, at most {MAX_MEMBERS} are read")
    seen = set()
    for info in infos:
        name = info.filename
        if name in seen:
            raise DossierError(f"the member {name!r} is there twice")
        seen.add(name)
        parts = name.split("/")
        if name != info.orig_filename or "\\" in name or name.startswith("/") or ":" in name:
            raise DossierError(f"the member {info.orig_filename!r} has a forbidden name")
        if not all(part not in ("", ".", "..") for part in parts) or not name.isprintable():
            raise DossierError(f"the member {name!r} has a forbidden name")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise DossierError(f"the member {name!r} is not a plain file")
        if info.flag_bits & _ENCRYPTED:
            raise DossierError(f"the member {name!r} is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DossierError(f"the member {name!r} is compressed in an unknown way")
        if info.file_size > MAX_MEMBER:
            raise DossierError(f"the member {name!r} is too large")
        if info.file_size > max(_RATIO_FLOOR, MAX_RATIO * info.compress_size):
            raise DossierError(f"the member {name!r} swells more than {MAX_RATIO} times")
    if sum(info.file_size for info in infos) > MAX_TOTAL:
        raise DossierError("the members together are too large")


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    # The announced size may lie: count what really comes out.
    chunks = []
    size = 0
    with archive.open(info) as member:
        while chunk := member.read(_CHUNK):
            size += len(chunk)
            if size > limit or size > info.file_size:
                raise DossierError(f"the member {info.filename!r} is larger than announced")
            chunks.append(chunk)
    if size != info.file_size:
        raise DossierError(f"the member {info.filename!r} is shorter than announced")
    return b"".join(chunks)
