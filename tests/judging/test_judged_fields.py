"""Fields against fields: fair sets are not told apart, each known fault is; 400 against 400 simulated fields of 250 px."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from galsmith.compare.marginal.columns import words_of
from galsmith.compare.memory.log_polar import SIDE_PIX, likest_rows, log_polar_spectra, whitening_of
from galsmith.compare.memory.nearest import stretch_of
from galsmith.data import simulate
from galsmith.errors import SettingsError
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays
from galsmith.judging import judge
from galsmith.measure.properties.field import FIELD_PROPERTIES
from galsmith.seeds import random_stream

N_FIELDS = 400
CLEAN = ("non_cosmology_share=0.0", "corrupted_share=0.0")
QUICK = {"beyond": False, "replicates": 50, "splits": 60}

Fields = NDArray[np.float32]


def test_every_quantity_of_fields_has_words():
    words = [words_of(entry.name) for entry in FIELD_PROPERTIES]
    assert words_of("field_pairs_25") == "pairs within 25 px"
    assert words_of("field_sources_30_to_300") == "sources of flux 30 to 300"
    assert all(words)
    assert len(set(words)) == len(words)
    assert not any("field" in text or "_" in text for text in words)


def test_faults_of_galaxies_are_not_put_into_fields():
    some = np.zeros((12, 1, 32, 32), dtype=np.float32)
    with pytest.raises(SettingsError, match="those of galaxies, and the images show fields"):
        judge(as_set(some), {"generated": as_set(some)}, power=True)


def drawn(folder, *, seed: int, law: tuple[str, ...] = (), count: int = N_FIELDS) -> Fields:
    """Simulate clean fields, [field, band, y, x]."""
    images = simulate.fields(
        folder / f"fields_{seed}", n=count, seed=seed, recipe="fields-250", overrides=(*CLEAN, *law)
    )
    return np.stack(images.pixels.read(np.arange(count)))


def as_set(images: Fields) -> ImageSet:
    """Make a set of fields in whole gray levels."""
    levels = np.clip(np.rint(images), 0, 255).astype(np.float32)
    return image_set_from_arrays(levels, ImageHeader(("gray",), "display", shows="field"))


def verdict_of(reference: Fields, generated: Fields, **how):
    """Judge fields, property by property and image by image."""
    return judge(as_set(reference), {"generated": as_set(generated)}, **(QUICK | how)).judgment().verdict


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Fields:
    return drawn(tmp_path_factory.mktemp("reference"), seed=101)


@pytest.fixture(scope="module")
def fair(tmp_path_factory) -> Fields:
    return drawn(tmp_path_factory.mktemp("fair"), seed=102)


def noise(images: Fields) -> Fields:
    """Give the sky alone."""
    return random_stream(1, "test.noise").normal(0.7, 0.5, images.shape).astype(np.float32)


def a_tenth_black(images: Fields) -> Fields:
    """Make every tenth field black."""
    black = images.copy()
    black[::10] = 0
    return black


ALTERED = {
    "blurred": lambda images: ndimage.gaussian_filter(images, (0, 0, 1, 1)),
    "a level brighter": lambda images: images + 1,
    "noise alone": noise,
    "a tenth black": a_tenth_black,
}
LAWS = {
    "sources not clustered": ("clustering.fraction_alpha=0.01", "clustering.fraction_beta=100.0"),
    "a tenth fewer sources": ("count.mean=36.0",),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", ALTERED)
def test_altered_fields_are_told(reference, fair, fault):
    assert verdict_of(reference, ALTERED[fault](fair)).status == "told_apart"


@pytest.mark.slow
@pytest.mark.parametrize("fault", LAWS)
def test_fields_of_another_law_are_told(reference, fault, tmp_path):
    assert verdict_of(reference, drawn(tmp_path, seed=103, law=LAWS[fault])).status == "told_apart"


@pytest.mark.slow
def test_fields_without_sources_are_called_fields(reference, fair):
    losses = next(
        item for item in verdict_of(reference, a_tenth_black(fair)).families if item.name == "losses"
    )
    assert losses.n_told > 0
    assert losses.strongest.label.startswith("fields of which nothing was measured")


def moved(images: Fields) -> Fields:
    """Move each field by 5 to 40 px, black where nothing was."""
    chance, found = random_stream(2, "test.moved"), np.zeros_like(images)
    for image, place in zip(images, found, strict=True):
        y, x = chance.integers(5, 40, 2)
        place[:, y:, x:] = image[:, :-y, :-x]
    return found


COPIED = {
    "as they are": lambda images: images,
    "turned and flipped": lambda images: np.rot90(images, axes=(-2, -1))[..., ::-1],
    "moved": moved,
    "with noise": lambda images: images + random_stream(4, "test.noise").normal(0, 0.5, images.shape),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", COPIED)
def test_a_tenth_of_training_fields_is_told(reference, fair, how, tmp_path):
    training = drawn(tmp_path, seed=104)
    generated = fair.copy()
    generated[: N_FIELDS // 10] = COPIED[how](training[: N_FIELDS // 10])
    assert verdict_of(reference, generated, training=as_set(training)).is_told_by("copies")


@pytest.mark.slow
def test_fair_fields_are_not_told(reference, fair, tmp_path):
    training = drawn(tmp_path, seed=105)
    assert verdict_of(reference, fair, training=as_set(training)).status == "not_told_apart"


def test_a_field_with_noise_of_half_a_level_is_described_alike(tmp_path):
    fields = drawn(tmp_path, seed=106, count=60)
    noisy = fields + random_stream(5, "test.noise").normal(0, 0.5, fields.shape)
    stretch = stretch_of(as_set(fields), side_pix=SIDE_PIX)
    points, queries = (
        log_polar_spectra(as_set(images), stretch) for images in (fields, np.rot90(noisy, axes=(-2, -1)))
    )
    weights = whitening_of(points)
    likest = likest_rows(queries * weights, points * weights, ranks=2)
    assert np.mean(likest.rows[:, 0] == np.arange(60)) > 0.95
    # the second is another field, and explains far less
    assert np.median(likest.unexplained[:, 0]) < 0.4 * np.median(likest.unexplained[:, 1])


@pytest.mark.parametrize(("shows", "is_seen"), [("field", True), ("galaxy", False)])
def test_a_moved_field_is_described_alike(shows, is_seen):
    chance = random_stream(3, "test.field")
    images = np.zeros((60, 1, 256, 256), dtype=np.float32)
    for image in images:
        places = chance.integers(60, 190, (2, 15))
        image[0, places[0], places[1]] = 200
    smooth = ndimage.gaussian_filter(images + chance.normal(0, 0.1, images.shape), (0, 0, 2, 2))
    header = ImageHeader(("gray",), "display", shows=shows)
    sets = [image_set_from_arrays(np.roll(smooth, shift, (-2, -1)), header) for shift in (0, 24)]
    stretch = stretch_of(sets[0], side_pix=SIDE_PIX)
    points, queries = (log_polar_spectra(images, stretch) for images in sets)
    weights = whitening_of(points)
    found = likest_rows(queries * weights, points * weights, ranks=2).rows[:, 0]
    assert (np.mean(found == np.arange(60)) == 1) == is_seen
