"""Predictions of a scorer as a file to submit: ``Id,Predicted``, as the competition of the paper took it."""

from pathlib import Path

import numpy as np
import pandas as pd

from galsmith.data.store import open_store
from galsmith.errors import InputError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.files import Kind, Partial, check_output, sha256_of_file
from galsmith.provenance import hash_json
from galsmith.score.scorer import ARRAYS_FILE, load_scorer

COLUMNS = ("Id", "Predicted")


def _made_from(file: Path) -> str | None:
    """Know a submission by its first line; it says no more."""
    with file.open(encoding="utf-8") as stream:
        return "" if stream.readline().strip() == ",".join(COLUMNS) else None


SUBMISSION = Kind("submission", _made_from)


def read_submission(file: str | Path) -> pd.DataFrame:
    """Read a submission.

    Returns
    -------
    DataFrame
        ``Id`` (str) and ``Predicted`` (float64), a row a field.

    Raises
    ------
    InputError
        If a prediction is no number.
    """
    try:
        return pd.read_csv(file, dtype={"Id": str, "Predicted": np.float64})
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read as {','.join(COLUMNS)} ({error}); predict again") from error


def predict(
    scorer: str | Path,
    data: str | Path,
    output: str | Path,
    *,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> pd.DataFrame:
    """Predict the scores of a store's fields into a CSV file with the columns ``Id`` and ``Predicted``.

    Parameters
    ----------
    scorer : path
        What `fit` wrote.
    data : path
        Store of fields, of the side that the scorer was fitted on. Where its catalog says that some fields are to be
        predicted (``part`` is ``"query"``), those alone are.
    output : path
        The file.
    overwrite : bool
        Replace a submission.
    progress : callable
        Told how far it is.

    Returns
    -------
    DataFrame
        What was written.

    Raises
    ------
    InputError
        If the fields are of another size than the scorer's.
    """
    check_output(output, SUBMISSION, inputs=[scorer, data], overwrite=overwrite)
    images, fitted = open_store(data), load_scorer(scorer)
    if "part" in images.catalog.colnames:
        is_asked = np.asarray(images.catalog["part"], dtype=str) == "query"
        images = images.select(is_asked) if is_asked.any() else images
    made_from = hash_json(["score predict", sha256_of_file(Path(scorer) / ARRAYS_FILE), images.content_hash])
    with Partial(
        output, SUBMISSION, made_from, inputs=[scorer, data], overwrite=overwrite, resumes=False
    ) as partial:
        ids = np.asarray(images.catalog["object_id"], dtype=str)
        table = pd.DataFrame({"Id": ids, "Predicted": fitted.predict(images, progress=progress)})
        table.to_csv(partial.content, index=False)
        partial.finish()
    return table
