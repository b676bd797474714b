"""One policy for every output: claimed by one process, marked, made beside its place, put there when complete.

While ``NAME`` is made, a folder ``NAME.partial`` lies beside it:

- ``lock``, held by the process that makes it; a dead one loses it;
- ``settings.json``, the mark: what is being made from what. It is the first thing written and the last one removed;
- the chunks that are done, by names of their own, and ``content``, what will take the name ``NAME``;
- ``replaced``, what had that name before, for the moment between two renamings.

The order of the last steps: the content is flushed, the mark says that it is complete, what is replaced moves aside,
the content takes its name, everything else goes. Killed in between, whoever comes next, a reader or a writer,
does the rest (`settle`).
"""

import contextlib
import errno
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from galsmith.errors import GalsmithError, InputError, OutputExistsError
from galsmith.files.atomic import (
    flush_to_disk,
    raise_if_unwritable,
    read_json,
    remove_temporaries,
    write_json,
)
from galsmith.files.claim import LOCK_FILE, MARK_FILE, Claim, is_only_read, partial_folder
from galsmith.files.harm import refuse_harm
from galsmith.files.ownership import Kind, files_below, is_empty_tree, refuse_existing
from galsmith.files.remote import is_remote, place_of, plain_address, refuse_remote_output
from galsmith.files.remote.upload import (
    check_writable,
    clear_staged,
    has_upload_begun,
    staged_place,
    upload,
)

logger = logging.getLogger("galsmith")

CONTENT, REPLACED = "content", "replaced"
# of a mark: what the content may replace, as `_listing` has it; absent while it is being made
COMPLETE = "complete"


def read_mark(output: str | Path) -> dict[str, Any] | None:
    """Read what a process that has not finished an output was making; None where there is no such thing."""
    if is_remote(output):  # what is made for an address is made in a folder of this user
        return None
    file = partial_folder(output) / MARK_FILE
    try:
        if not file.is_file():
            return None
        return read_json(file)
    except InputError as error:
        if not file.is_file():  # finished or given up by another process in between
            return None
        reason = str(error).removeprefix(f"{file}: ").partition("; ")[0]
        raise InputError(f"{file}: damaged ({reason})", way_out=f"remove {file.parent}") from error


def check_output(
    output: str | Path, kind: Kind, *, inputs: Iterable[str | Path | None] = (), overwrite: bool = False
) -> None:
    """Refuse an output before anything long starts; nothing is written.

    Parameters
    ----------
    output : str or Path
        What is to be made.
    kind : Kind
        Of the output.
    inputs : iterable of str, Path or None
        What is read, as the user wrote it.
    overwrite : bool
        Whether what is there may be replaced, where galsmith made it.

    Raises
    ------
    SettingsError
        If the output, or the folder in which it is made, is, holds or lies in an input.
    OutputExistsError
        If it is there and may not be replaced. One that says what it was made from passes: `Partial` tells whether the
        same call made it.
    OutputError
        If a file is where a folder above it should be, or nothing may be written there.
    """
    path, given = Path(output), tuple(inputs)
    address = plain_address(output)
    if address is not None:
        _check_remote(address, kind, given, overwrite=overwrite)
        return
    for place in (path, partial_folder(output)):
        refuse_harm(place, given)
    mark = read_mark(output)
    if mark is None:
        settle(output)
    if not overwrite and kind.fingerprint_of(path):
        return
    _refuse_unwritable(path)
    if COMPLETE not in (mark or {}):
        refuse_existing(path, kind, overwrite=overwrite)


def _check_remote(address: str, kind: Kind, inputs: Iterable[str | Path | None], *, overwrite: bool) -> None:
    """Refuse an address as output, before anything long starts."""
    if not kind.travels or address.endswith(".csv"):  # which has a second file beside it
        refuse_remote_output(address)
    check_writable(address, inputs)
    place = place_of(address)
    if has_upload_begun(address) or not place.exists() or kind.fingerprint_of(place) is not None:
        return
    problem = (
        f"does not say that it is a {kind.name} that was made by galsmith" if overwrite else "already exists"
    )
    raise OutputExistsError(problem, argument="output", came=address, way_out="choose another `output`")


def _refuse_unwritable(output: Path) -> None:
    """Raise `OutputError` if no file can appear there: the nearest thing above is a file, or closed to this user."""
    above = next(folder for folder in output.absolute().parents if os.path.lexists(folder))
    for is_fault, code in (
        (not above.is_dir(), errno.ENOTDIR),
        (not os.access(above, os.W_OK), errno.EACCES),
    ):
        if is_fault:
            raise_if_unwritable(OSError(code, os.strerror(code)), output)


def settle(output: str | Path) -> None:
    """Do what a killed process left to do for a complete output; every reader and writer calls this first."""
    if is_remote(output):
        return
    folder, mark = partial_folder(output), read_mark(output)
    if not folder.exists() or (mark is not None and COMPLETE not in mark):
        return
    with contextlib.suppress(GalsmithError, OSError), Claim(output, patience_seconds=0.0):
        # still: what was read before the claim may be of another process
        if COMPLETE in (read_mark(output) or {}):
            _put_in_place(Path(output), folder)


class Partial:
    """An output in the making: a file or a folder, claimed, marked, and put in its place by `finish`.

    Leaving its ``with`` block early keeps what is done, and the same call goes on with it.

    Parameters
    ----------
    output : str or Path
        What is to be made.
    kind : Kind
        Of the output.
    fingerprint : str
        Of all that decides the content. An output that says it was made from the same is there already.
    layout : mapping, optional
        Plain JSON values that decide how the parts are cut; goes on only where these and the fingerprint are the same.
    inputs : iterable of str, Path or None
        What is read; none may be harmed.
    overwrite : bool
        Replace what is there once the new is complete, where galsmith made it; and a partial output of other settings.
    resumes : bool
        False for what is made in one piece, of which nothing is kept when it fails.

    Attributes
    ----------
    output : Path
        As given.
    folder : Path
        ``<output>.partial``, for whatever is to be kept until the output is complete.
    content : Path
        In it: make this file or folder, which will take the output's name.
    is_complete : bool
        Whether it is there already, made by the same call: nothing is left to do, and nothing is claimed.

    Raises
    ------
    SettingsError
        If the output would harm an input.
    OutputExistsError
        If another process is making it, if it is there, or if a partial one of other settings is.
    """

    def __init__(
        self,
        output: str | Path,
        kind: Kind,
        fingerprint: str,
        *,
        layout: Mapping[str, Any] | None = None,
        inputs: Iterable[str | Path | None] = (),
        overwrite: bool = False,
        resumes: bool = True,
    ) -> None:
        self._address, given = plain_address(output), tuple(inputs)
        self._kind, self._overwrite, self._resumes = kind, overwrite, resumes
        self._mark: dict[str, Any] = {"kind": kind.name, "fingerprint": fingerprint, **(layout or {})}
        self._claim: Claim | None = None
        if self._address is not None:
            _check_remote(self._address, kind, given, overwrite=overwrite)
            output = staged_place(self._address)
        self.output, self.folder = Path(output), partial_folder(output)
        self.content = self.folder / CONTENT
        for place in (self.output, self.folder):
            refuse_harm(place, given)
        self.is_complete = self._is_there_remotely() or self._is_made(output)

    def _is_made(self, output: str | Path) -> bool:
        """Claim the output, unless the same call made it; what was made for an address and is not all there is sent."""
        # without a claim, so that what is finished is found where nothing may be written
        if not os.path.lexists(self.folder) and self._is_there():
            if self._address is not None:
                with Claim(output):
                    self._send()
            return True
        self._claim = Claim(output)
        try:
            return self._take()
        except BaseException as error:
            self._claim.release()
            raise_if_unwritable(error, self.output)
            raise

    def __getstate__(self) -> dict[str, Any]:
        """Leave the claim behind: another process may fill in chunks where they lie, and neither finish nor replace."""
        return {
            **vars(self),
            "folder": self.folder.absolute(),
            "content": self.content.absolute(),
            "_claim": None,
            "_kind": None,
        }

    def finish(self) -> None:
        """Put the content in its place, remove all else and let the output go."""
        if self.is_complete:
            return
        try:
            refuse_existing(self.output, self._kind, overwrite=self._overwrite)
            _flush(self.content, like=self.folder / LOCK_FILE)
            write_json(self.folder / MARK_FILE, {**self._mark, COMPLETE: _listing(self.output)})
            _put_in_place(self.output, self.folder)
            self._send()
        except OSError as error:
            raise_if_unwritable(error, self.output)
            raise
        self.is_complete = True
        self.close()

    def discard(self) -> None:
        """Give up: remove what was made so far and let the output go."""
        if self._claim is not None:
            _clear(self.folder)
        self.close()

    def close(self) -> None:
        """Let the output go; what is done is kept."""
        if self._claim is not None:
            self._claim.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or self._resumes or self.is_complete:
            self.close()
        else:
            self.discard()
        if error is not None:
            raise_if_unwritable(error, self.output)

    def _take(self) -> bool:
        """Settle what others left, refuse what may not be touched, and write the mark; whether nothing is left to do."""
        found = read_mark(self.output)
        if found is not None and COMPLETE in found:
            _put_in_place(self.output, self.folder)
            del found[COMPLETE]
            if found == self._mark:
                self._send()
                return self._left(is_rest=False)
            found = None
        is_same = found == self._mark
        if self._is_there():
            self._send()
            return self._left(is_rest=is_same)
        if self._resumes and found is not None and not is_same and not self._overwrite:
            raise OutputExistsError(
                f"a partial {found.get('kind', 'output')} made by other settings or data lies in {self.folder}",
                argument="output",
                came=self.output,
                way_out="finish it with its own command, choose another `output`, or replace it with `overwrite`",
            )
        refuse_existing(self.output, self._kind, overwrite=self._overwrite)
        if self._resumes and is_same:
            remove_temporaries(self.folder)
        else:
            _clear(self.folder)
            write_json(self.folder / MARK_FILE, self._mark)
        return False

    def _left(self, *, is_rest: bool) -> bool:
        """Let go of an output that is there, and of the rest of a replacement by its like."""
        if is_rest:
            _clear(self.folder)
        self.close()
        return True

    def _is_there(self) -> bool:
        """Whether the same call made the output, and say so."""
        makes_anew = self._overwrite and not (self._address and has_upload_begun(self._address))
        is_there = not makes_anew and self._kind.fingerprint_of(self.output) == self._mark["fingerprint"]
        if is_there and self._address is None:
            logger.warning("%s: is already there, made by the same settings from the same data", self.output)
        return is_there

    def _is_there_remotely(self) -> bool:
        """Whether the same call wrote the output to its address, and say so; refuse what is there of others."""
        if self._address is None or self._overwrite:
            return False
        place = place_of(self._address)
        found = self._kind.fingerprint_of(place)
        if found == self._mark["fingerprint"]:
            logger.warning(
                "%s: is already there, made by the same settings from the same data", self._address
            )
            with contextlib.suppress(GalsmithError, OSError), Claim(self.output, patience_seconds=0.0):
                clear_staged(self._address)
            return True
        if found is not None or (place.exists() and not has_upload_begun(self._address)):
            way_out = "choose another `output`, or replace it with `overwrite`"
            raise OutputExistsError("already exists", argument="output", came=self._address, way_out=way_out)
        return False

    def _send(self) -> None:
        """Bring what was made to its address, where it has one."""
        if self._address is None or not os.path.lexists(self.output):
            return
        place = place_of(self._address)
        upload(
            self.output,
            self._address,
            last=self._kind.page,
            owns=lambda name: self._kind.owns(place, name),
        )
        clear_staged(self._address)


@contextlib.contextmanager
def grown_folder(
    output: str | Path,
    kind: Kind,
    fingerprint: str,
    *,
    inputs: Iterable[str | Path | None] = (),
    overwrite: bool = False,
) -> Iterator[Path]:
    """Claim a folder that is of use while it grows, as a training run is, and let it go at the end.

    It grows in its own place. One that is to replace what is there grows in ``<output>.partial/content`` and takes the
    name when it is complete; until then the old one stays whole.

    Parameters
    ----------
    output : str or Path
        The folder.
    kind : Kind
        Of the output.
    fingerprint : str
        As for `Partial`, so that an interrupted replacement goes on.
    inputs : iterable of str, Path or None
        What is read; none may be harmed.
    overwrite : bool
        Start anew, whatever galsmith made there.

    Yields
    ------
    Path
        Where to work. What is there may be something else: that is for the caller to see and to refuse. Where nothing may
        be written to what galsmith made it is not claimed, so that one who finds it finished can say so.
    """
    place, given = Path(output), tuple(inputs)
    if overwrite:
        partial = Partial(place, kind, fingerprint, inputs=given, overwrite=True)
        if not partial.is_complete:
            with partial:
                yield partial.content
                partial.finish()
            return
    refuse_harm(place, given)
    if is_only_read(place) and kind.fingerprint_of(place) is not None:
        yield place
        return
    with Claim(place):
        if is_empty_tree(place) or kind.fingerprint_of(place) is not None:
            remove_temporaries(place)
        yield place


def _put_in_place(output: Path, folder: Path) -> None:
    """Give the complete content the output's name, and remove all else; may be done again after a kill at any step."""
    content, replaced = folder / CONTENT, folder / REPLACED
    if os.path.lexists(content):
        there = _listing(output)
        if there is not None and there != (read_mark(output) or {}).get(COMPLETE):
            raise OutputExistsError(
                f"changed after what is to replace it was complete in {folder}, and stays as it is",
                argument="output",
                came=output,
                way_out="move it elsewhere and give the same command again",
            )
        if os.path.lexists(output) and not (_is_plain_file(content) and _is_plain_file(output)):
            _remove(replaced)
            output.rename(replaced)
        os.replace(content, output)
        flush_to_disk(output.parent)
    _clear(folder)


def _listing(path: Path) -> list[list[Any]] | None:
    """Name, size and time of every file of an output that is there; None where there is none."""
    if not os.path.lexists(path) or is_empty_tree(path):
        return None
    names = files_below(path) if path.is_dir() and not path.is_symlink() else ("",)
    found = [(name, (path / name).lstat()) for name in names]
    return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in found]


def _clear(folder: Path) -> None:
    """Empty the folder in which an output was made; the mark goes last, the lock stays."""
    for entry in folder.iterdir():
        if entry.name not in (MARK_FILE, LOCK_FILE):
            _remove(entry)
    (folder / MARK_FILE).unlink(missing_ok=True)


def _remove(path: Path) -> None:
    """Remove a file, a link or a whole folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _is_plain_file(path: Path) -> bool:
    """Whether a file can be replaced by another in one step."""
    return path.is_symlink() or not path.is_dir()


def _flush(content: Path, *, like: Path) -> None:
    """Bring the content to disk, with the permissions that a new file gets."""
    if content.is_dir():
        for folder, _, files in os.walk(content):
            for name in files:
                flush_to_disk(Path(folder, name))
            flush_to_disk(Path(folder))
    else:
        content.chmod(like.stat().st_mode & 0o777)
        flush_to_disk(content)
    flush_to_disk(content.parent)
