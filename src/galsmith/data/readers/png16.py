"""Decoding PNG with 16 bits and more than one channel, which Pillow cuts down to 8 bits."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from galsmith.files.bounds import excess

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
Values = NDArray[Any]


def read_png16(path: Path) -> NDArray[np.uint16]:
    """Read a PNG of 16 bits a channel.

    Parameters
    ----------
    path : Path
        Gray, RGB, or either with alpha; not interlaced.

    Returns
    -------
    ndarray [y, x, channel], uint16
        The top row first, as stored.

    Raises
    ------
    ValueError
        If the file is truncated, damaged or interlaced.
    """
    head, compressed = _chunks(path.read_bytes())
    width, height, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", head)
    if depth != 16 or interlaced:
        raise ValueError("interlaced PNG of 16 bits; save it without interlacing")
    channels = CHANNELS[color]
    row_bytes = 2 * channels * width
    wanted = height * (row_bytes + 1)
    too_large = excess(wanted, len(compressed))
    if too_large:
        raise ValueError(too_large)
    try:
        # one byte more than the header promises tells that there are too many; the rest of a bomb stays packed
        raw = zlib.decompressobj().decompress(compressed, wanted + 1)
    except zlib.error as error:
        raise ValueError(f"image data are damaged ({error})") from error
    if len(raw) != wanted:
        came = f"more than {wanted}" if len(raw) > wanted else str(len(raw))
        raise ValueError(f"{came} bytes of image data, wanted {wanted}")
    lines = np.frombuffer(raw, dtype=np.uint8).reshape(height, row_bytes + 1)
    decoded = np.zeros((height + 1, row_bytes), dtype=np.uint8)
    _undo_filters(lines, decoded, 2 * channels)
    values: NDArray[np.uint16] = decoded[1:].copy().view(">u2").astype(np.uint16)
    return values.reshape(height, width, channels)


def _chunks(content: bytes) -> tuple[bytes, bytes]:
    """Header and joined image data of a PNG file, with every checksum checked."""
    head, data, position = b"", [], len(SIGNATURE)
    while position + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, position)
        kind, body = (
            content[position + 4 : position + 8],
            content[position + 8 : position + 8 + length],
        )
        checksum = content[position + 8 + length : position + 12 + length]
        if len(checksum) < 4 or struct.unpack(">I", checksum)[0] != zlib.crc32(kind + body):
            raise ValueError("file is truncated or damaged")
        if kind == b"IHDR":
            head = body
        elif kind == b"IDAT":
            data.append(body)
        elif kind == b"IEND":
            return head, b"".join(data)
        position += 12 + length
    raise ValueError("file is truncated")


@numba.njit(cache=True)
def _undo_filters(lines: Values, decoded: Values, step: int) -> None:
    """Undo PNG's row filters; row 0 of `decoded` is the row of zeros above the image (PNG specification, 9)."""
    for row in range(lines.shape[0]):
        kind = lines[row, 0]
        for column in range(decoded.shape[1]):
            left = int(decoded[row + 1, column - step]) if column >= step else 0
            above = int(decoded[row, column])
            corner = int(decoded[row, column - step]) if column >= step else 0
            predicted = 0
            if kind == 1:
                predicted = left
            elif kind == 2:
                predicted = above
            elif kind == 3:
                predicted = (left + above) // 2
            elif kind == 4:
                predicted = _paeth(left, above, corner)
            decoded[row + 1, column] = (int(lines[row, column + 1]) + predicted) & 255


@numba.njit(cache=True)
def _paeth(left: int, above: int, corner: int) -> int:
    """Whichever neighbor is nearest to left + above - corner."""
    guess = left + above - corner
    to_left, to_above, to_corner = abs(guess - left), abs(guess - above), abs(guess - corner)
    if to_left <= to_above and to_left <= to_corner:
        return left
    return above if to_above <= to_corner else corner
