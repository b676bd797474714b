"""What lies in a folder, to the byte."""

import hashlib


def hashes(folder):
    """All files and folders below one, with the hash of each file."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in sorted(folder.rglob("*"))
    }
