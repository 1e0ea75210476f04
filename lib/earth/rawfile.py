"""Bytes of a record file, whatever it is packed in (layer 1)."""

import gzip
import io
import zipfile
import zlib
from pathlib import Path

from lib.earth import lzw
from lib.files import InputError

MAX_BYTES = 2**30   # a month at 1 Hz is 190 MB of text; more than this is a mistake or an attack


def read_bytes(path: str | Path) -> bytes:
    """Contents of a file, unpacked if it is gzip, a .Z of compress, or a zip with one member.

    The packing is recognised by content, not by the suffix.

    Raises
    ------
    InputError
        If the file cannot be opened, is empty, is damaged or cut, or unpacks to more than 1 GiB.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(path, "opening", error.strerror, "a file that can be read") from error
    if data[:2] == b"\x1f\x8b":
        data = _gunzip(data, path)
    elif data[:4] == b"PK\x03\x04":
        data = _unzip(data, path)
    elif lzw.is_lzw(data):
        data = lzw.unpack_lzw(data, path)
    if not data:
        raise InputError(path, "contents", "0 bytes", "a record; the file is empty, fetch it again")
    return data


def _gunzip(data: bytes, path: Path) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            return _limited(stream, path)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(path, "gzip stream", str(error), "a whole file; fetch it again") from error


def _unzip(data: bytes, path: Path) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [item for item in archive.infolist() if not item.is_dir()]
            if len(members) != 1:
                raise InputError(path, "zip archive", f"{len(members)} files",
                                 "exactly one file; unpack it and read the members one by one")
            with archive.open(members[0]) as stream:
                return _limited(stream, path)
    except InputError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError,
            OSError, ValueError) as error:
        raise InputError(path, "zip archive", str(error),
                         "a whole archive without password; fetch it again") from error


def _limited(stream, path: Path) -> bytes:
    data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InputError(path, "unpacked size", f"more than {MAX_BYTES} bytes", "a smaller record")
    return data
