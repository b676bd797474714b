import struct
import zlib

import numpy as np
import pytest

from galsmith.data.readers.png16 import SIGNATURE, read_png16


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def filtered(raw, kinds, step):
    """PNG's filters as its specification writes them, row by row."""
    lines = b""
    above = np.zeros(raw.shape[1], dtype=int)
    for row, kind in zip(raw.astype(int), kinds, strict=True):
        left = np.concatenate([np.zeros(step, dtype=int), row[:-step]])
        corner = np.concatenate([np.zeros(step, dtype=int), above[:-step]])
        guess = left + above - corner
        distances = np.abs(np.stack([guess - left, guess - above, guess - corner]))
        paeth = np.choose(distances.argmin(axis=0), [left, above, corner])
        predicted = [np.zeros_like(row), left, above, (left + above) // 2, paeth][kind]
        lines += bytes([kind]) + ((row - predicted) % 256).astype(np.uint8).tobytes()
        above = row
    return lines


def png16(values, *, kinds=None, interlaced=0, cut=None):
    """Content of a 16-bit PNG of [y, x, channel] values."""
    height, width, channels = values.shape
    color = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    raw = values.astype(">u2").reshape(height, -1).view(np.uint8)
    kinds = [row % 5 for row in range(height)] if kinds is None else kinds
    data = zlib.compress(filtered(raw, kinds, 2 * channels))
    half = len(data) // 2
    content = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, color, 0, 0, interlaced))
    content += chunk(b"IDAT", data[:half]) + chunk(b"IDAT", data[half:]) + chunk(b"IEND", b"")
    return content if cut is None else content[:cut]


@pytest.fixture
def values():
    smooth = np.add.outer(np.arange(11) * 4000, np.arange(7) * 900)[..., np.newaxis] + [0, 77, 5000]
    return (smooth + np.random.default_rng(0).integers(0, 300, (11, 7, 3))).astype(np.uint16)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_all_filters_decode(tmp_path, values, channels):
    (tmp_path / "a.png").write_bytes(png16(values[..., :channels]))
    np.testing.assert_array_equal(read_png16(tmp_path / "a.png"), values[..., :channels])


@pytest.mark.parametrize("kind", range(5))
def test_each_filter_decodes(tmp_path, values, kind):
    (tmp_path / "a.png").write_bytes(png16(values, kinds=[kind] * 11))
    np.testing.assert_array_equal(read_png16(tmp_path / "a.png"), values)


@pytest.mark.parametrize("cut", [40, 120, -10])
def test_truncated_files_are_refused(tmp_path, values, cut):
    (tmp_path / "a.png").write_bytes(png16(values, cut=cut))
    with pytest.raises(ValueError, match="truncated"):
        read_png16(tmp_path / "a.png")


def test_a_flipped_byte_is_found(tmp_path, values):
    content = bytearray(png16(values))
    content[60] ^= 1
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ValueError, match="truncated or damaged"):
        read_png16(tmp_path / "a.png")


def test_interlaced_files_are_refused(tmp_path, values):
    (tmp_path / "a.png").write_bytes(png16(values, interlaced=1))
    with pytest.raises(ValueError, match="interlaced"):
        read_png16(tmp_path / "a.png")
