"""The joint law of drawn scalars: colors as narrow as they are, after a short training."""

import numpy as np
import pytest
import torch
from scipy import stats

from galsmith.data.transforms.scalars import fit_standardization, fit_whitening
from galsmith.models.families import family_named
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.pca_diffusion.config import PcaDiffusionConfig
from galsmith.models.protocols import DataDescription, NetworkBatch, TrainingProgress

N, SIZE_PIX, BATCH, STEPS = 4096, 16, 256, 200
SCATTER_MAG = 0.05
BAR = 0.05  # of the color's deviation; -0.002 and 0.041 above the floor were measured, 0.083 and 0.093 of the twins
CONFIG = PcaDiffusionConfig(n_components=4, width=64, depth=2, warmup_images=2000, learning_rate=3e-3)


def magnitudes(law: str, *, seed: int) -> np.ndarray:
    """g and i of galaxies, [galaxy, 2]: their color scatters by 0.05 mag about a line, or about a parabola."""
    rng = np.random.default_rng(seed)
    g = rng.normal(22, 1, N) if law == "gaussian" else rng.uniform(20, 24, N)
    bend = 0.0 if law == "gaussian" else 0.1 * (g - 22) ** 2
    return np.stack([g, g - 0.8 + 0.1 * (g - 22) - bend + rng.normal(0, SCATTER_MAG, N)], axis=1)


def drawn_magnitudes(train: np.ndarray, *, is_whitened: bool) -> np.ndarray:
    """Magnitudes that a small model draws after 50,000 images."""
    standardization = fit_standardization(train)
    columns = standardization.forward(train)
    whitening = fit_whitening(columns, "gi") if is_whitened else None
    scalars = torch.from_numpy(columns if whitening is None else whitening.forward(columns)).float()
    chance = generator_from_seed(1)
    batch = NetworkBatch(torch.randn(N, 1, SIZE_PIX, SIZE_PIX, generator=chance), scalars)
    trainer = family_named("pca_diffusion").build_trainer(
        CONFIG, DataDescription(("r",), SIZE_PIX, ("g", "i"), N), lambda: iter([batch]), seed=0
    )
    compacted = trainer.compacted(batch)
    for step in range(STEPS):
        rows = torch.randint(0, N, (BATCH,), generator=chance)
        part = NetworkBatch(compacted.pixels[rows], compacted.scalars[rows])
        trainer.step(part, TrainingProgress(0, step * BATCH, step / STEPS))
    drawn = trainer.generator.sample(range(2 * N)).scalars.double().numpy()  # N alone scatter by 0.012
    return standardization.inverse(drawn if whitening is None else whitening.inverse(drawn))


def color_distance(drawn: np.ndarray, wanted: np.ndarray) -> float:
    """W1 of g - i in units of its own deviation."""
    one, other = (values[:, 0] - values[:, 1] for values in (drawn, wanted))
    return stats.wasserstein_distance(one, other) / float(np.std(other))


@pytest.mark.parametrize("law", ["gaussian", "banana"])
def test_colors_are_drawn_as_narrow_as_they_are(law):
    train, fresh = magnitudes(law, seed=1), magnitudes(law, seed=2)
    floor = color_distance(train, fresh)
    drawn = drawn_magnitudes(train, is_whitened=True)
    assert color_distance(drawn, fresh) < floor + BAR
    assert stats.wasserstein_distance(drawn[:, 1], fresh[:, 1]) < 0.1
    # must fail: the magnitudes themselves as the network's coordinates
    as_they_are = drawn_magnitudes(train, is_whitened=False)
    assert color_distance(as_they_are, fresh) > floor + 1.5 * BAR
