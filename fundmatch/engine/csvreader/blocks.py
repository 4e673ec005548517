"""The fast reader: blocks of bytes, arrays of NumPy, two threads.

A block is cut at a line end. The separators of its rows are found at once; an
id is gathered as a few words of eight bytes, an amount is decoded eight digits
at a time inside one word. Anything out of the ordinary (quotes, empty lines,
a NUL, an id of more than 64 bytes, a wrong field) raises `Irregular`.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from ..arrays import Array, np
from ..gifts.packed import PackedIds
from ..limits import MAX_CENTS, MAX_ID
from .hashing import IdTable, sorted_distinct, widened
from .header import Header
from .rows import Columns

if TYPE_CHECKING:
    from . import OnBytes

#: what a core keeps close while it works on a block
_BLOCK = 1 << 20
#: smaller files are read before a second thread would have begun
_ONE_THREAD = 1 << 22
_PAD = 16
_MAX_WORDS = 8
_WORD = 8
_NEWLINE, _RETURN = 10, 13


class Irregular(Exception):
    """The file is not of the plain kind."""


def read_blocks(path: Path, header: Header, index: Mapping[str, int], on_bytes: OnBytes | None) -> Columns:
    """Return the columns of a plain file, donors sorted by id. Raises `Irregular`."""
    if not index:
        raise Irregular
    size = path.stat().st_size or 1
    projects = IdTable(_packed_words([project.encode() for project in index]))
    parts = []
    done = header.offset
    blocks = _blocks(path, header)
    for length, part in _parsed(blocks, header, projects, size):
        parts.append(part)
        done += length
        if on_bytes is not None:
            on_bytes(done / size)
    if not parts:
        raise Irregular
    width = max(part[0].shape[1] for part in parts)
    words = np.concatenate([widened(part[0], width) for part in parts])
    project = np.concatenate([part[1] for part in parts])
    cents = np.concatenate([part[2] for part in parts])
    del parts
    found = sorted_distinct(words)
    if found is None:
        raise Irregular
    distinct, donor = found
    return PackedIds(distinct), donor, project, cents, None


def _blocks(path: Path, header: Header) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(header.offset)
        rest = b""
        while data := file.read(_BLOCK):
            cut = data.rfind(b"\n") + 1
            if not cut:
                raise Irregular
            yield rest + data[:cut]
            rest = data[cut:]
        if rest:
            yield rest + b"\n"


def _packed_words(ids: list[bytes]) -> Array:
    """Return ids as rows of big-endian words, padded with NUL: their order is the order of the ids."""
    longest = max(map(len, ids))
    if longest > _MAX_WORDS * _WORD or any(b"\0" in item for item in ids):
        raise Irregular
    width = -(-longest // _WORD)
    data = b"".join(item.ljust(width * _WORD, b"\0") for item in ids)
    return np.frombuffer(data, dtype=">u8").reshape(-1, width).astype(np.uint64)


def _parsed(
    blocks: Iterator[bytes], header: Header, projects: IdTable, size: int
) -> Iterator[tuple[int, tuple[Array, Array, Array]]]:
    """Yield (bytes, columns) of each block, in order; two blocks at a time when there are several."""

    def parse(block: bytes) -> tuple[int, tuple[Array, Array, Array]]:
        return len(block), _columns(block, header, projects)

    if size <= _ONE_THREAD:
        yield from map(parse, blocks)
        return
    with ThreadPoolExecutor(max_workers=min(2, os.cpu_count() or 1)) as pool:
        # One block ahead of the threads: the file is never in memory as a whole.
        waiting: deque[Future[tuple[int, tuple[Array, Array, Array]]]] = deque()
        for block in blocks:
            waiting.append(pool.submit(parse, block))
            if len(waiting) > 3:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _columns(block: bytes, header: Header, projects: IdTable) -> tuple[Array, Array, Array]:
    """Return (donor words, project ranks, cents) of the rows of one block."""
    if b'"' in block or b"\0" in block or (b"\r" in block and block.count(b"\r\n") != block.count(b"\r")):
        raise Irregular
    if not block.isascii():
        try:
            block.decode()
        except UnicodeDecodeError:
            raise Irregular from None
    data = bytes(_PAD) + block + bytes(_PAD)
    letters = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero((letters == ord(header.delimiter)) | (letters == _NEWLINE))
    if ends.size % 3:
        raise Irregular
    ends = ends.reshape(-1, 3)
    stops = [np.ascontiguousarray(ends[:, field]) for field in range(3)]
    # As many line ends as rows, and each row ends with one: none is elsewhere.
    if block.count(b"\n") != len(ends) or not (letters[stops[2]] == _NEWLINE).all():
        raise Irregular
    first = np.empty_like(stops[0])
    first[0] = _PAD
    np.add(stops[2][:-1], 1, out=first[1:])
    starts = [first, stops[0] + 1, stops[1] + 1]
    if b"\r" in block:
        stops[2] -= letters[stops[2] - 1] == _RETURN
    # A view of the eight bytes that begin at each byte.
    view = np.ndarray(shape=(len(data) - _WORD + 1,), dtype="<u8", buffer=data, strides=(1,))
    donor = _words(view, starts[header.donor], stops[header.donor])
    project = projects.ranks(_words(view, starts[header.project], stops[header.project]))
    if project is None:
        raise Irregular
    return donor, project, _amounts(view, starts[header.cents], stops[header.cents])


_LOW_BYTES: Array = np.array([(1 << (8 * n)) - 1 for n in range(9)], dtype=np.uint64)


def _words(view: Array, start: Array, stop: Array) -> Array:
    """Gather fields as rows of big-endian words, padded with NUL."""
    lengths = stop - start
    longest = int(lengths.max())
    # Fewer than 256 bytes are fewer than 256 code points.
    if int(lengths.min()) < 1 or longest > min(_MAX_WORDS * _WORD, MAX_ID):
        raise Irregular
    words = np.empty((start.size, -(-longest // _WORD)), dtype=np.uint64)
    for column in range(words.shape[1]):
        kept = lengths if longest <= _WORD else np.clip(lengths - column * _WORD, 0, _WORD)
        where = start if column == 0 else np.minimum(start + column * _WORD, view.size - 1)
        gathered = view[where]
        gathered &= _LOW_BYTES[kept]
        words[:, column] = gathered.byteswap(inplace=True)
    return words


def _amounts(view: Array, start: Array, stop: Array) -> Array:
    """Decode fields of 1 to 16 digits."""
    lengths = stop - start
    longest = int(lengths.max())
    if int(lengths.min()) < 1 or longest > 2 * _WORD:
        raise Irregular
    cents = _eight_digits(view[stop - _WORD], np.minimum(lengths, _WORD))
    if longest > _WORD:
        high = np.flatnonzero(lengths > _WORD)
        upper = _eight_digits(view[stop[high] - 2 * _WORD], lengths[high] - _WORD)
        cents[high] += upper * 10**8
        if int(cents.max()) > MAX_CENTS:
            raise Irregular
    return cents


def _eight_digits(words: Array, lengths: Array) -> Array:
    """Decode the last `lengths` bytes of little-endian words as decimal digits."""
    zeros = np.uint64(0x3030303030303030)
    digits = (words ^ zeros) & ~_LOW_BYTES[_WORD - lengths]
    above_nine = (digits + np.uint64(0x7676767676767676)) | digits
    if (above_nine & np.uint64(0x8080808080808080)).any():
        raise Irregular
    value = (digits * np.uint64(10) + (digits >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    value = (value * np.uint64(100) + (value >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    value = (value * np.uint64(10000) + (value >> np.uint64(32))) & np.uint64(0xFFFFFFFF)
    return value.astype(np.int64)
