"""Mutated bytes: case k of a format is a function of the format and k."""

import struct
import zlib

from galsmith.seeds import random_stream

INTERESTING = (
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x00\x00\x00\x00",
    b"-1",
    b"nan",
    b"9" * 12,
    b"[[[",
    b"../",
)
MOST_AT_ONCE = 6


def mutated(corpus, name, number):
    """Give one mutant of the files of a corpus."""
    rng = random_stream(number, f"fuzz {name}")
    content = bytearray(corpus[int(rng.integers(len(corpus)))])
    for _ in range(int(rng.integers(1, MOST_AT_ONCE + 1))):
        kind = int(rng.integers(8))
        place = int(rng.integers(len(content) + 1))
        # headers are short beside pixels, and most of what a reader decides stands there
        place = place if rng.random() < 0.5 else place % min(len(content) + 1, 2048)
        length = int(2 ** rng.uniform(0, 8))
        if kind <= 2 and place < len(content):
            content[place] ^= 1 << int(rng.integers(8))
        elif kind == 3:
            word = INTERESTING[int(rng.integers(len(INTERESTING)))]
            content[place : place + len(word)] = word
        elif kind == 4:
            del content[place : place + length]
        elif kind == 5:
            content[place:place] = rng.bytes(length)
        elif kind == 6:
            other = corpus[int(rng.integers(len(corpus)))]
            start = int(rng.integers(len(other)))
            content[place : place + length] = other[start : start + length]
        elif kind == 7 and rng.random() < 0.2:
            del content[place:]
    return with_sums(bytes(content)) if rng.random() < 0.7 else bytes(content)


def with_sums(content):
    """Mend the checksums of a PNG file, so that what stands behind them is reached."""
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        return content
    mended, place = bytearray(content), 8
    while place + 12 <= len(mended):
        (length,) = struct.unpack_from(">I", mended, place)
        end = place + 8 + length
        if end + 4 > len(mended):
            break
        struct.pack_into(">I", mended, end, zlib.crc32(mended[place + 4 : end]))
        place = end + 4
    return bytes(mended)
