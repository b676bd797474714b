"""Files on disk: written whole or not at all, claimed by one process, and never in the place of an input."""

from galsmith.files.atomic import (
    TEMPORARY_SUFFIX,
    raise_if_unwritable,
    read_json,
    remove_temporaries,
    sha256_of_file,
    write_json,
    written_atomically,
)
from galsmith.files.claim import PARTIAL_SUFFIX, Claim, claimed_folder, partial_folder
from galsmith.files.harm import refuse_harm
from galsmith.files.ownership import Kind, is_empty_tree, refuse_existing, said_in_json
from galsmith.files.partial import Partial, check_output, grown_folder, read_mark, settle
from galsmith.files.remote import at_hand, is_remote, place_of, refuse_remote_input

__all__ = [
    "PARTIAL_SUFFIX",
    "TEMPORARY_SUFFIX",
    "Claim",
    "Kind",
    "Partial",
    "at_hand",
    "check_output",
    "claimed_folder",
    "grown_folder",
    "is_empty_tree",
    "is_remote",
    "partial_folder",
    "place_of",
    "raise_if_unwritable",
    "read_json",
    "read_mark",
    "refuse_existing",
    "refuse_harm",
    "refuse_remote_input",
    "remove_temporaries",
    "said_in_json",
    "settle",
    "sha256_of_file",
    "write_json",
    "written_atomically",
]
