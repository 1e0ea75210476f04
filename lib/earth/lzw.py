"""Unix compress (.Z) unpacked (layer 1).

The first decades of IONEX and RINEX archives are packed this way, and no module of the standard library
reads it. Format: two magic bytes, a byte of flags, then Lempel-Ziv-Welch codes of 9 to 16 bits, lowest bit
first; after every change of width, and after the code that clears the table, the codes are padded to a
multiple of eight.
"""

import numpy as np

from lib.files import InputError

MAGIC = b"\x1f\x9d"
CLEAR = 256
MAX_BYTES = 2**30   # as lib.earth.rawfile


def is_lzw(data: bytes) -> bool:
    """Whether bytes begin as a .Z file does."""
    return data[:2] == MAGIC


def unpack_lzw(data: bytes, source="data") -> bytes:
    """Contents of a .Z file.

    Parameters
    ----------
    data : bytes
    source : str or Path
        Named in errors.

    Returns
    -------
    bytes
        A file that was cut between two codes gives what came before the cut: the format has no length and no
        checksum, so whoever reads the contents has to see that they are whole.

    Raises
    ------
    InputError
        If the bytes are no .Z file, hold a code that cannot occur or unpack to more than 1 GiB.

    References
    ----------
    Welch 1984, IEEE Computer 17(6), 8-19; ncompress 4.2.4 for width changes and padding.

    Examples
    --------
    >>> unpack_lzw(bytes.fromhex("1f9d9061c400"))
    b'ab'
    """
    if not is_lzw(data) or len(data) < 3 or not 9 <= data[2] & 31 <= 16 or data[2] & 96:
        raise InputError(source, "bytes 1-3", data[:3], "1f 9d and 9 to 16 bits: a .Z file of Unix compress")
    widest = max(data[2] & 31, 10)   # a 9 is written with codes of 10 bits
    block = bool(data[2] & 128)
    out, at = bytearray(), 3
    while at < len(data):
        at = _unpack_table(data, at, widest, block, out, source)
    return bytes(out)


def _unpack_table(data, at, widest, block, out, source):
    """Unpack up to the next cleared table or the end; the byte where the next codes start."""
    starts, lengths = [0] * (256 + block), [0] * (256 + block)   # an entry is a stretch of `out`
    literals = [bytes((k,)) for k in range(256)]
    limit, previous = 1 << widest, None
    for bits in range(9, widest + 1):
        room = (1 << bits) - len(starts) + (previous is None) if bits < widest else None
        codes, after = _read_codes(data, at, bits, room, block)
        for code in codes:
            if code == CLEAR and block:
                return after
            if previous is not None and len(starts) < limit:
                starts.append(previous)
                lengths.append(len(out) - previous + 1)
            previous = len(out)
            if code < 256:
                out += literals[code]
            elif code < len(starts) and len(out) < MAX_BYTES:
                first = starts[code]
                out += out[first:first + lengths[code]]
                if first + lengths[code] > previous:   # the entry being made: it ends as it starts
                    out.append(out[first])
            else:
                raise InputError(source, f"bytes {at + 1}-{after}", code, "a code already in the table; the "
                                 "file is damaged, fetch it again")
        at = after
        if at >= len(data):
            break
    return at


def _read_codes(data, at, bits, room, block):
    """Codes of one width, at most `room` of them, up to a clearing code; the byte after their padding."""
    n = 8 * (len(data) - at) // bits
    n = n if room is None else min(n, room)
    position = bits * np.arange(n, dtype=np.int64)
    raw = np.frombuffer(data[at:at + (n * bits + 7) // 8] + b"\0\0\0", np.uint8).astype(np.int64)
    byte = position >> 3
    word = raw[byte] | raw[byte + 1] << 8 | raw[byte + 2] << 16
    codes = (word >> (position & 7)) & ((1 << bits) - 1)
    clear = np.flatnonzero(codes == CLEAR) if block else ()
    if len(clear):
        codes = codes[:clear[0] + 1]
    return codes.tolist(), at + bits * -(-max(len(codes), 1) // 8)
