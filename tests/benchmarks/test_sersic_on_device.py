"""The renderer that runs on any device gives the pixels of the compiled one, which is tested against GalSim."""

import numpy as np
import pytest
import torch
from sersic_on_device import galaxy_shapes, render_on_device

from galsmith.data.sersic import SersicSettings, SersicSource, draw_parameters
from galsmith.settings import read_recipe, typed_settings


def settings_with(**changes):
    return typed_settings(SersicSettings, {**read_recipe("sersic"), **changes}, source="test")


@pytest.mark.parametrize(
    "changes",
    [
        {"size_pix": 64, "pixel_scale_arcsec": 0.16},
        {"size_pix": 64, "r_eff_arcsec": {"low": 0.02, "high": 0.3}, "axis_ratio": {"low": 0.1, "high": 1.0}},
        {"size_pix": 48, "sersic_index": {"low": 0.5, "high": 6.0}, "r_eff_arcsec": 0.2},
        {"size_pix": 33, "center_x_arcsec": 0.0, "center_y_arcsec": 0.0, "sersic_index": 4.0},
    ],
    ids=["the paper's law", "small and flat", "all indices", "cusp on a pixel's middle"],
)
def test_pixels_are_those_of_the_compiled_renderer(changes):
    settings = settings_with(**changes)
    compiled = np.stack(SersicSource(settings, n=24, seed=3).read(np.arange(24)))[:, 0]
    shapes = galaxy_shapes(draw_parameters(settings, n=24, seed=3), settings)
    on_device = render_on_device(shapes, size_pix=settings.size_pix, device=torch.device("cpu")).numpy()
    np.testing.assert_allclose(on_device, compiled, rtol=2e-6, atol=0)


def test_a_galaxy_of_another_index_has_other_pixels():
    one, other = (settings_with(size_pix=32, sersic_index=index) for index in (2.0, 2.05))
    images = [
        render_on_device(
            galaxy_shapes(draw_parameters(item, n=2, seed=3), item), size_pix=32, device=torch.device("cpu")
        )
        for item in (one, other)
    ]
    assert float((images[0] / images[1] - 1).abs().max()) > 1e-2
