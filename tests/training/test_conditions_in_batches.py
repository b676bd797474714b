import numpy as np
import torch
from astropy.table import QTable

from galsmith.data.transforms import TransformSettings, fit_pixel_transform
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.training.batches import TrainingSet, make_batches


def test_conditions_come_with_their_images_in_every_order():
    rng = np.random.default_rng(3)
    images = rng.uniform(1, 2, (40, 1, 8, 8))
    flux = images.sum(axis=(1, 2, 3))
    table = QTable({"flux_again": np.log(flux.astype(np.float32).astype(np.float64))})
    galaxies = image_set_from_arrays(images, ImageHeader(("r",), "nJy"), catalog=table)
    transform = fit_pixel_transform(galaxies, TransformSettings(conditions=("flux_again",)))
    training_set = TrainingSet(galaxies, transform)
    some = training_set.rows(np.array([31, 2, 17])).scalars
    assert transform.whitening is not None
    columns = torch.from_numpy(transform.whitening.inverse(some.numpy()))
    torch.testing.assert_close(columns[:, 1], columns[:, 0], rtol=0, atol=1e-4)
    batches = make_batches(
        training_set,
        lambda batch: batch,
        batch_size=16,
        seed=1,
        memory_gb=1.0,
        device=torch.device("cpu"),
    )
    scalars = batches.at(32).scalars
    batches.close()
    columns = torch.from_numpy(transform.whitening.inverse(scalars.numpy()))
    torch.testing.assert_close(columns[:, 1], columns[:, 0], rtol=0, atol=1e-4)
    assert not torch.allclose(scalars[:, 1], scalars[:, 0].flip(0), atol=0.1)  # of other images they differ
