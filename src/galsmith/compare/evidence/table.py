"""All evidence of a card as a CSV file beside it, from which a referee can find the verdict again."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from galsmith.compare.evidence.records import Evidence
from galsmith.files import Kind, Partial

COLUMNS = (
    *("set", "family", "block", "name", "label", "value", "interval_low", "interval_high", "floor", "effect"),
    *("unit", "corrected_by", "p_value", "p_block", "p_family", "p_overall", "status", "card"),
)


def _made_from(path: Path) -> str | None:
    """Read from which card a file was made; None where it is not one of these."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        if tuple(next(rows, ())) != COLUMNS:
            return None
        # Every row says so, as a table of numbers has no other place for it.
        return next(rows, [""])[-1]


EVIDENCE = Kind("table of evidence", _made_from)


def evidence_place(card: Path) -> Path:
    """Name the table of evidence of a card's file."""
    return card.with_name(f"{card.stem}.evidence.csv")


def write_evidence(
    weighed: Mapping[str, Sequence[Evidence]],
    card: Path,
    fingerprint: str,
    *,
    inputs: Iterable[str | Path | None] = (),
    overwrite: bool = False,
) -> Path:
    """Write all evidence of a card beside it, one row a test.

    Parameters
    ----------
    weighed : mapping of name to sequence of Evidence
        Of each generated set, as `evidence_of` gives it.
    card : Path
        The card's file.
    fingerprint : str
        Of all that the card depends on; stands in the column ``card``.
    inputs, overwrite
        As `galsmith.files.Partial` takes them.

    Returns
    -------
    Path
        ``<stem of the card>.evidence.csv``.

    Raises
    ------
    OutputExistsError
        If another file, or the evidence of another card, is there and may not be replaced.
    """
    place = evidence_place(card)
    with Partial(place, EVIDENCE, fingerprint, inputs=inputs, overwrite=overwrite, resumes=False) as making:
        if not making.is_complete:
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(
                [*_row(name, item), fingerprint] for name, items in weighed.items() for item in items
            )
            making.content.write_text(text.getvalue(), encoding="utf-8")
            making.finish()
    return place


def _row(name: str, item: Evidence) -> list[str | float]:
    """Write one test, without the card that it is from."""
    values = {
        **vars(item),
        "set": name,
        "interval_low": item.interval[0],
        "interval_high": item.interval[1],
        "status": item.status,
    }
    return [values[column] for column in COLUMNS[:-1]]
