"""Addresses such as ``s3://bucket/set``: places that are read by ranges and written part by part, as files are."""

from galsmith.files.remote.address import (
    is_address,
    plain_address,
    refuse_remote_input,
    refuse_remote_output,
    refuse_unknown_address,
    refuse_unwritable_address,
)
from galsmith.files.remote.copies import at_hand, local_copies
from galsmith.files.remote.place import RemotePath, is_remote, place_of

__all__ = [
    "RemotePath",
    "at_hand",
    "is_address",
    "is_remote",
    "local_copies",
    "place_of",
    "plain_address",
    "refuse_remote_input",
    "refuse_remote_output",
    "refuse_unknown_address",
    "refuse_unwritable_address",
]
