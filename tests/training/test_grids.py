from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from galsmith.training.grids import write_grid


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"), dtype=float)


def test_picture_has_a_tile_an_image_in_rows(tmp_path: Path) -> None:
    images = [np.ones((1, 96, 96), dtype=np.float32)] * 8
    write_grid(tmp_path / "grid.png", images, title="eight")
    picture = pixels_of(tmp_path / "grid.png")
    assert picture.shape == (2 * 98 - 2 + 12 + 40, 4 * 98 - 2 + 24, 3)
    assert list(tmp_path.iterdir()) == [tmp_path / "grid.png"]


def test_y_points_up(tmp_path: Path) -> None:
    image = np.zeros((1, 96, 96), dtype=np.float32)
    image[0, :10] = 1.0  # the lowest rows
    write_grid(tmp_path / "grid.png", [image], title="")
    picture = pixels_of(tmp_path / "grid.png").sum(axis=-1)[40:136, 12:108]
    assert picture[-8:].min() > picture[:80].max()


def test_last_band_is_red_and_pictures_start_with_red(tmp_path: Path) -> None:
    image = np.zeros((3, 96, 96), dtype=np.float32)
    image[2, 30:60, 30:60] = 1.0
    for is_display, channel in ((False, 0), (True, 2)):
        write_grid(tmp_path / "grid.png", [image], title="", is_display=is_display)
        center = pixels_of(tmp_path / "grid.png")[40 + 96 - 45, 12 + 45]
        assert int(np.argmax(center)) == channel


@pytest.mark.parametrize("value", [0.0, 5.0, -1.0, np.nan, np.inf, 3e38])
def test_any_pixels_of_any_size_can_be_shown(tmp_path: Path, value: float) -> None:
    images = [np.full((2, size, size), value, dtype=np.float32) for size in (8, 13)]
    write_grid(tmp_path / "grid.png", images, title="two sizes")
    assert np.isfinite(pixels_of(tmp_path / "grid.png")).all()
