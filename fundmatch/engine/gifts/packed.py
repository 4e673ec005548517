"""Millions of ids without millions of strings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from ..arrays import Array, np


class PackedIds(Sequence[str]):
    """Sorted ids held as rows of big-endian words padded with NUL, read as strings one at a time."""

    def __init__(self, words: Array) -> None:
        width = words.shape[1] * 8
        self.data: Array = words.astype(">u8").view(f"S{width}").ravel()

    def __len__(self) -> int:
        return len(self.data)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [item.decode() for item in self.data[place].tolist()]
        return bytes(self.data[place]).decode()

    def __iter__(self) -> Iterator[str]:
        return iter(self[:])

    def needs_no_escape(self) -> bool:
        """Return whether every id appears in JSON as it is: no quote, backslash or control character."""
        letters = np.frombuffer(self.data.tobytes(), dtype=np.uint8)
        return not ((letters == 0x22) | (letters == 0x5C) | ((letters < 0x20) & (letters > 0))).any()
