"""The published layout of cosmology fields, written small; and all that can be wrong with it."""

import numpy as np
import pytest
from PIL import Image

from galsmith.data.ingest import cosmology
from galsmith.data.options import SetOptions
from galsmith.data.readers import pictures
from galsmith.data.readers.cosmology_fields import CosmologyFields
from galsmith.data.readers.options import CosmologyOptions
from galsmith.errors import InputError, SettingsError

LABELED = {"1000051": 1, "1000339": 0, "1001037": 1}
SCORED = {"2000012": 1.5, "2000345": 0.0, "2000777": 6.2498}
QUERY = ("3000001", "3000002")


def draw_field(seed, *, side_pix=24):
    """Draw a black image with some spots, [y, x] uint8."""
    rng = np.random.default_rng(seed)
    pixels = np.zeros((side_pix, side_pix), dtype=np.uint8)
    pixels[rng.integers(0, side_pix, 9), rng.integers(0, side_pix, 9)] = rng.integers(1, 256, 9)
    return pixels


def write_table(path, values):
    path.write_text("Id,Actual\n" + "".join(f"{one},{value}\n" for one, value in values.items()))


@pytest.fixture
def archive(tmp_path):
    """The layout of the archive."""
    folder = tmp_path / "archive"
    for name, ids in (("labeled", LABELED), ("scored", SCORED), ("query", QUERY)):
        (folder / name).mkdir(parents=True)
        for one in ids:
            Image.fromarray(draw_field(int(one))).save(folder / name / f"{one}.png")
    write_table(folder / "labeled.csv", LABELED)
    write_table(folder / "scored.csv", SCORED)
    return folder


def test_ids_parts_labels_and_scores_go_to_the_catalog(archive, tmp_path):
    images = cosmology(archive, tmp_path / "set")
    assert (images.header.shows, images.header.bands, images.header.flux_unit) == (
        "field",
        ("gray",),
        "display",
    )
    assert list(images.catalog["object_id"]) == [*LABELED, *SCORED, *QUERY]
    assert list(images.catalog["part"]) == ["labeled"] * 3 + ["scored"] * 3 + ["query"] * 2
    np.testing.assert_array_equal(images.catalog["label"], [1, 0, 1, *[np.nan] * 5])
    np.testing.assert_array_equal(images.catalog["score"], [*[np.nan] * 3, 1.5, 0, 6.2498, np.nan, np.nan])
    for row, one in enumerate([*LABELED, *SCORED, *QUERY]):
        np.testing.assert_array_equal(images[row][0], draw_field(int(one))[::-1])  # the bottom row is row 0


def test_some_parts_are_read_and_nothing_twice(archive, tmp_path, monkeypatch):
    decoded = []
    decode = pictures._decoded
    monkeypatch.setattr(pictures, "_decoded", lambda path: decoded.append(path.stem) or decode(path))
    images = cosmology(archive, tmp_path / "set", parts=["query", "scored"])
    assert list(images.catalog["part"]) == ["scored"] * 3 + ["query"] * 2
    assert sorted(decoded) == sorted([*SCORED, *QUERY])


def test_an_archive_without_labels_is_read_as_it_is(archive):
    (archive / "labeled.csv").unlink()
    for file in (archive / "labeled").iterdir():
        file.unlink()
    (archive / "labeled").rmdir()
    assert len(CosmologyFields(archive).catalog) == 5


def remove_image(folder):
    (folder / "scored" / "2000345.png").unlink()


def remove_row(folder):
    write_table(folder / "labeled.csv", {"1000051": 1, "1000339": 0})


def add_rows(folder):
    write_table(folder / "scored.csv", {**SCORED, **{f"9{k:02d}": 1.0 for k in range(15)}})


def repeat_id(folder):
    with (folder / "scored.csv").open("a") as stream:
        stream.write("2000777,1.0\n")


def score_too_high(folder):
    write_table(folder / "scored.csv", {**SCORED, "2000012": 8.5})


def score_of_words(folder):
    write_table(folder / "scored.csv", {**SCORED, "2000012": "high"})


def label_between(folder):
    write_table(folder / "labeled.csv", {**LABELED, "1000339": 0.5})


def one_class(folder):
    write_table(folder / "labeled.csv", dict.fromkeys(LABELED, 1))


def other_columns(folder):
    (folder / "labeled.csv").write_text("id,label\n1000051,1\n")


def no_table(folder):
    (folder / "scored.csv").unlink()


def no_folder(folder):
    (folder / "scored").rename(folder / "elsewhere")


def other_size(folder):
    Image.fromarray(draw_field(1, side_pix=25)).save(folder / "query" / "3000002.png")


def color(folder):
    Image.fromarray(np.stack([draw_field(1)] * 3, axis=-1)).save(folder / "query" / "3000001.png")


def id_of_another_part(folder):
    Image.fromarray(draw_field(1)).save(folder / "query" / "1000051.png")


def cut_off(folder):
    file = folder / "query" / "3000001.png"
    file.write_bytes(file.read_bytes()[:20])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (remove_image, r"scored: 1 rows of scored.csv have no image: 2000345; mend"),
        (remove_row, r"labeled: 1 images have no row in labeled.csv: 1001037; mend"),
        (add_rows, r"15 rows of scored.csv have no image: (9\d\d, ){10}\.\.\.; mend"),
        (repeat_id, r"scored.csv: 1 Ids have several rows: 2000777; keep one of each"),
        (score_too_high, r"1 of 3 values are no score: 2000012 \(8.5\); wanted a score from 0 to 8"),
        (score_of_words, r"1 of 3 values are no score: 2000012 \(high\)"),
        (label_between, r"1 of 3 values are no label: 1000339 \(0.5\); wanted 0 or 1"),
        (one_class, r"all 3 images have the label 1; wanted both classes.*`parts`"),
        (other_columns, r"has no column Id; wanted Id,Actual, it has id, label"),
        (no_table, r"scored.csv: there is no such file; wanted the score of each image of scored/.*`parts`"),
        (no_folder, r"archive: has scored.csv without the folder scored/ of its images; .*`parts`"),
        (other_size, r"3000002.png: has 25x25 px, 7 others have 24x24; wanted one size"),
        (color, r"3000001.png: is RGB of 8 bits, 1000051.png is gray of 8 bits"),
        (id_of_another_part, r"query: 1 Ids are in labeled/ as well: 1000051; an Id names one image"),
        (cut_off, r"3000001.png: not a PNG or JPEG that can be read"),
    ],
)
def test_what_is_wrong_is_said_before_a_pixel_is_decoded(archive, tmp_path, monkeypatch, spoil, message):
    spoil(archive)
    monkeypatch.setattr(pictures, "_decoded", lambda path: pytest.fail(f"{path} was decoded"))
    with pytest.raises(InputError, match=message):
        cosmology(archive, tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_pictures_of_16_bits_are_refused(archive):
    for file in archive.glob("*/*.png"):
        Image.fromarray(draw_field(1).astype(np.uint16)).save(file)
    with pytest.raises(InputError, match="is gray of 16 bits; wanted gray of 8 bits"):
        CosmologyFields(archive)


def test_a_black_image_stops_it_and_may_be_left_out(archive, tmp_path):
    Image.fromarray(np.zeros((24, 24), dtype=np.uint8)).save(archive / "query" / "3000001.png")
    with pytest.raises(InputError, match=r"3000001.png: all pixels are 0; .*`on_bad=skip`"):
        cosmology(archive, tmp_path / "set")
    images = cosmology(archive, tmp_path / "set", options=SetOptions(on_bad="skip"))
    assert len(images) == 7
    assert images.catalog.meta["left_out"] == {"constant": 1}


def test_folders_and_parts_that_are_not_there_are_named(archive, tmp_path):
    with pytest.raises(InputError, match="holds none of the folders labeled/, scored/, query/"):
        CosmologyFields(archive / "query")
    with pytest.raises(InputError, match=r"there is no such file, folder or store.*did you mean 'archive'"):
        CosmologyFields(tmp_path / "archiv")
    with pytest.raises(SettingsError, match="`parts=score`: wanted some of labeled,scored,query"):
        CosmologyOptions(("score",))
    (archive / "query").rename(archive / "other")
    with pytest.raises(SettingsError, match="has no folder query/; it has labeled, scored"):
        CosmologyFields(archive, CosmologyOptions(("query",)))
    (archive / "scored").rename(archive / "elsewhere")
    assert len(CosmologyFields(archive, CosmologyOptions(("labeled",))).catalog) == 3
