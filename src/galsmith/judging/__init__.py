"""Judging images, whatever made them: stores, measurements, features, copies and the comparison of all of it."""

from galsmith.judging.generator import Generator
from galsmith.judging.judge import judge

__all__ = ["Generator", "judge"]
