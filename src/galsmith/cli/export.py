"""``galsmith export KIND STORE``: write a store in a format of others; the verbs are made from the writers."""

from collections.abc import Callable, Iterator
from inspect import Parameter as Argument
from inspect import Signature
from typing import Annotated, Any

from cyclopts import Parameter

from galsmith.cli.options import SHOWN_ALL, Output, Overwrite, Shown
from galsmith.cli.outcome import Outcome
from galsmith.cli.premises import check_folder, check_places
from galsmith.cli.records import flag, flags_of, parsed
from galsmith.counts import counted
from galsmith.data.writers.registry import Writer
from galsmith.settings import parse_where


def export_command(writer: Writer) -> Callable[..., Outcome]:
    """Make the command of one writer: a store, a flag a field of its options, and what all have in common."""

    def command(
        store: str,
        /,
        *,
        output: Any,
        where: str | None = None,
        overwrite: bool = False,
        shown: Shown = SHOWN_ALL,
        **given: Any,
    ) -> Outcome:
        check_places([store], [output])
        parse_where(where or "")
        writing = parsed(writer.options, given)
        check_folder(store, "there is no such store; make one with galsmith ingest or simulate")
        from galsmith.data.export import export

        with shown.progress() as progress:
            made = export(
                writer.name,
                store,
                output,
                writing=writing,
                where=where,
                overwrite=overwrite,
                progress=progress,
            )
        return Outcome(
            verb=f"export {writer.name}",
            summary=f"{counted(made.n_images, 'images')}, {counted(made.n_files, 'files')}",
            output=made.path,
            content_hash=made.fingerprint,
            numbers={"n_images": made.n_images, "n_files": made.n_files},
        )

    command.__name__ = f"export_{writer.name}"
    command.__doc__ = f"{writer.summary}\n\n{writer.more}".strip()
    command.__signature__ = Signature(list(_arguments(writer)))  # type: ignore[attr-defined]
    command.__annotations__ = {}
    return command


def _arguments(writer: Writer) -> Iterator[Argument]:
    """Give the parameters of a writer's command."""
    yield Argument(
        "store", Argument.POSITIONAL_ONLY, annotation=Annotated[str, Parameter(help="The store to write.")]
    )
    yield flag("output", Output)
    yield from flags_of(writer.options)
    words = Parameter(help="Only images whose catalog has such rows, as 'split=test, mag=22..23'.")
    yield flag("where", Annotated[str | None, words], None)
    yield flag("overwrite", Overwrite, default=False)
    yield flag("shown", Shown, SHOWN_ALL)
