"""Readable descriptions of everything that galsmith makes: what it is, what is in it, what made it."""

from galsmith.cli.describe.kinds import describe
from galsmith.cli.describe.record import Description

__all__ = ["Description", "describe"]
