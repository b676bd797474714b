"""A remote file as a stream of bytes: little more is fetched than is asked for, and what is read on is fetched ahead."""

import io
from collections import OrderedDict
from collections.abc import Callable

from galsmith.files.remote.system import unreachable

LEAST_BYTES = 16 * 2**10  # the insides of HDF5 and headers of FITS are read in pieces of some hundreds
MOST_BYTES_AHEAD = 2 * 2**20
SMALL_FILE = 256 * 2**10  # read at once: asking twice takes longer
HELD_PIECES, MOST_BYTES_HELD = 64, 8 * 2**20  # of each open file

Read = Callable[[int, int], tuple[bytes, str]]


class RangeReader(io.RawIOBase):
    """Reads ranges of a file, never the same one at once again.

    Random reads fetch what they ask for, 16 KiB at least, and a small file whole. Reads
    that go on where the last one ended fetch ahead, twice as far each time, 2 MiB at most.

    Parameters
    ----------
    address : str
        Of the file, for messages.
    size : int
        Its bytes.
    read : callable
        ``read(start, stop)`` gives bytes and the tag of the version that they are of.
    """

    def __init__(self, address: str, size: int, read: Read) -> None:
        self._address, self._size, self._read = address, size, read
        self._position, self._tag = 0, ""
        self._held: OrderedDict[int, bytes] = OrderedDict()

    def __repr__(self) -> str:
        """Give the address, which h5py takes for the name of the file."""
        return self._address

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read from anywhere."""
        return True

    def tell(self) -> int:
        """Give the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a position."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readall(self) -> bytes:
        """Read all that is left, at once."""
        return self._bytes(self._position, self._size)

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Fill a buffer, as far as there are bytes."""
        stop = min(self._size, self._position + len(buffer))
        if stop <= self._position:
            return 0
        content = self._bytes(self._position, stop)
        buffer[: len(content)] = content
        return len(content)

    def _bytes(self, start: int, stop: int) -> bytes:
        """Give a range, from what is held where it is."""
        found = bytearray()
        while start < stop:
            piece = self._piece_at(start, stop)
            found += piece
            start += len(piece)
        self._position = start
        return bytes(found)

    def _piece_at(self, start: int, stop: int) -> bytes:
        """Give the beginning of a range, at most all of it."""
        for first, held in self._held.items():
            if first <= start < first + len(held):
                self._held.move_to_end(first)
                return held[start - first : stop - first]
        before = next((len(held) for first, held in self._held.items() if first + len(held) == start), 0)
        ahead = min(MOST_BYTES_AHEAD, 2 * before)
        end = min(self._size, start + max(stop - start, LEAST_BYTES, ahead))
        end = self._size if self._size <= SMALL_FILE else end
        content, tag = self._read(start, end)
        if self._tag and tag and tag != self._tag:
            raise unreachable(self._address, "it was replaced while it was read")
        self._tag = tag or self._tag
        self._hold(start, content)
        return content[: stop - start]

    def _hold(self, start: int, content: bytes) -> None:
        """Keep a piece, and let go of those that were used longest ago."""
        if len(content) > MOST_BYTES_AHEAD:
            return
        self._held[start] = content
        while len(self._held) > HELD_PIECES or sum(map(len, self._held.values())) > MOST_BYTES_HELD:
            self._held.popitem(last=False)
