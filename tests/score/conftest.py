"""Small fields with scores that their pixels decide, as a store."""

import numpy as np
import pytest
from astropy.table import QTable

from galsmith.data.store import open_store, write_store
from galsmith.images import ImageHeader, image_set_from_arrays

SIDE, N_FIELDS = 64, 60


def field_of(rng, n_sources):
    """A dark field with some points of light."""
    image = np.abs(rng.normal(0, 1.0, (SIDE, SIDE)))
    for y, x in rng.integers(2, SIDE - 2, (n_sources, 2)):
        image[y - 1 : y + 2, x - 1 : x + 2] += 60.0
    return np.clip(image, 0, 255).round()


def make_fields(*, n=N_FIELDS, seed=0, scores=None, labels=None, side=None, shows="field"):
    """Fields whose score grows with the number of their sources; a third of them are not cosmology."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 30, n)
    images = [field_of(rng, count) for count in counts]
    if side is not None:
        images = [image[:side, :side] for image in images]
    catalog = QTable()
    catalog["object_id"] = np.array([f"f{index}" for index in range(n)])
    catalog["score"] = counts * 0.2 if scores is None else scores
    catalog["label"] = (counts > 9).astype(float) if labels is None else labels
    return image_set_from_arrays(images, ImageHeader(("gray",), "display", shows=shows), catalog=catalog)


@pytest.fixture(scope="session")
def fields(tmp_path_factory):
    """Path of a store of fields."""
    path = tmp_path_factory.mktemp("fields") / "fields"
    write_store(path, make_fields())
    return path


@pytest.fixture(scope="session")
def opened(fields):
    """The same, opened."""
    return open_store(fields)


@pytest.fixture(scope="session")
def fields_made():
    """The function that makes fields."""
    return make_fields
