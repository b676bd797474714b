"""`Task`: what a study asks of a downstream task, and the checks of labels that tasks share."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from galsmith.errors import InputError
from galsmith.images import ImageSet
from galsmith.settings import near_miss

Floats = NDArray[np.float64]


class Task(Protocol):
    """Something that is learned from images, and whose success on others can be told image by image.

    Attributes
    ----------
    title : str
        What is learned, in a few words.
    loss : str
        What `score` gives, in a few words; less is better.
    """

    title: str
    loss: str

    def described(self) -> Mapping[str, Any]:
        """Give all that decides the result, as plain JSON values."""

    def check(self, images: ImageSet, name: str) -> None:
        """Refuse images that cannot be used, such as some without labels; `InputError` names them as `name`."""

    def groups(self, images: ImageSet) -> NDArray[np.str_]:
        """Name a group of each image, [galaxy], by which is told where generated data hurt."""

    def fit(self, images: ImageSet, seed: int) -> Any:
        """Learn from images, which are in no order."""

    def score(self, model: Any, test: ImageSet) -> Floats:
        """Loss of each image, [galaxy] float64, of a model that `fit` gave."""


def labels_of(images: ImageSet, label: str, name: str) -> Floats:
    """Read a column of numbers that every image has.

    Parameters
    ----------
    images : ImageSet
        With a catalog.
    label : str
        The column.
    name : str
        What the images are called in messages.

    Raises
    ------
    InputError
        If there is no such column (the near miss is named), it is no number, or some images have none.
    """
    if label not in images.catalog.colnames:
        raise InputError(
            f"{name}: its catalog has no column {label!r}{near_miss(label, images.catalog.colnames)}, which the task "
            "learns; "
            "generated images have it where their model was trained on it (transform.conditions)"
        )
    column = images.catalog[label]
    values = np.asarray(getattr(column, "value", column))
    if values.dtype.kind not in "fiu":
        raise InputError(f"{name}: {label} is of kind {values.dtype}; wanted numbers")
    missing = int((~np.isfinite(values.astype(np.float64))).sum())
    if missing:
        raise InputError(
            f"{name}: {missing} of {len(values)} images have no {label}; leave them out with `where`"
        )
    return np.asarray(values, dtype=np.float64)
