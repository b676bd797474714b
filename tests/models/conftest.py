"""Small training sets and tiny configs of every family."""

import pytest
import torch

from galsmith.data.transforms import PixelTransform
from galsmith.data.transforms.scalars import Standardization
from galsmith.models.alae.config import AlaeConfig
from galsmith.models.cvae.config import CvaeConfig
from galsmith.models.dcgan.config import DcganConfig
from galsmith.models.diffusion.config import DiffusionConfig
from galsmith.models.families import family_named
from galsmith.models.field_composer.config import FieldComposerConfig
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.pca_diffusion.config import PcaDiffusionConfig
from galsmith.models.protocols import DataDescription, NetworkBatch
from galsmith.models.relay_diffusion.config import RelayDiffusionConfig
from galsmith.models.style_based.settings import Stylegan2Config, StyleganConfig
from galsmith.models.vae.config import VaeConfig
from galsmith.models.wgan.config import WganConfig
from galsmith.settings import Settings

SIZE_PIX = 16
TINY_DIFFUSION = DiffusionConfig(
    channels=(8, 12), embedding_width=16, scalar_width=16, scalar_depth=1, warmup_images=0, sampler_steps=3
)
TINY_PCA_DIFFUSION = PcaDiffusionConfig(
    n_components=20, width=32, depth=2, warmup_images=0, learning_rate=3e-3, sampler_steps=4
)
TINY_RELAY_DIFFUSION = RelayDiffusionConfig(
    n_coarse=20,
    coarse_width=32,
    coarse_depth=1,
    coarse_steps=3,
    channels=(8, 12),
    blocks=(1, 1),
    embedding_width=16,
    warmup_images=0,
    fine_steps=3,
)
TINY_WGAN = WganConfig(latent_size=8, width=2, critic_steps=1, learning_rate=5e-3)
TINY_DCGAN = DcganConfig(latent_size=6, width=2, learning_rate=5e-3)
TINY_CONFIGS: dict[str, Settings] = {
    "pca_diffusion": TINY_PCA_DIFFUSION,
    "pca_diffusion, place and texture": TINY_PCA_DIFFUSION.model_copy(
        update={
            "largest_shift_pix": 3,
            "texture_rings": 4,
        }
    ),
    "diffusion": TINY_DIFFUSION,
    "diffusion, spectral": TINY_DIFFUSION.model_copy(update={"preconditioning": "spectral"}),
    "diffusion, flow": TINY_DIFFUSION.model_copy(update={"parametrization": "flow"}),
    "diffusion, haar": TINY_DIFFUSION.model_copy(update={"stem": "haar", "sampler": "multistep"}),
    "diffusion, small set": TINY_DIFFUSION.model_copy(update={"dropout": 0.1, "augmentation": 0.3}),
    "relay_diffusion": TINY_RELAY_DIFFUSION,
    "relay_diffusion, small patches": TINY_RELAY_DIFFUSION.model_copy(
        update={"patch_pix": 2, "attention": False}
    ),
    "alae": AlaeConfig(
        latent_width=16,
        mapping_layers=2,
        start_width=8,
        max_width=16,
        growing_share=0.04,
        learning_rates=((8, 3e-3), (256, 2e-3)),
        r1_every=2,
        r1_weight=1.0,
    ),
    "vae": VaeConfig(
        latent_size=6,
        encoder_width=4,
        encoder_blocks=(1, 1),
        encoder_features=4,
        decoder_width=8,
        scalar_width=8,
        learning_rate=3e-3,
        warmup_images=0,
    ),
    "stylegan": StyleganConfig(
        latent_width=16, channel_base=128, channel_max=8, learning_rate=5e-3, r1_weight=4.0
    ),
    "stylegan2": Stylegan2Config(
        latent_width=16, channel_base=128, channel_max=8, learning_rate=5e-3, r1_weight=4.0
    ),
    "stylegan2, hinge": Stylegan2Config(
        latent_width=16,
        z_width=8,
        channels=(4, 6),
        game="hinge",
        adam_beta2=0.999,
        learning_rate=5e-3,
        r1_weight=4.0,
    ),
    "cvae": CvaeConfig(latent_size=6, width=2, learning_rate=5e-3),
    "dcgan": TINY_DCGAN,
    "dcgan, as published": TINY_DCGAN.model_copy(update={"as_published": True, "width": 4}),
    "field_composer": FieldComposerConfig(
        width=32,
        depth=2,
        warmup_images=0,
        learning_rate=3e-3,
        sampler_steps=4,
        pair_edges_pix=(0.0, 4.0, 12.0),
    ),
    "wgan": TINY_WGAN,
    "wgan, clipped": TINY_WGAN.model_copy(
        update={"gradient_penalty": 0.0, "weight_clipping": 0.05, "learning_rate": 3e-3}
    ),
}
OF_PICTURES = {"wgan", "cvae", "dcgan"}
"""Families that take pixels between black and white with nothing beside them."""
OF_FIELDS = {"field_composer"}
"""Families that take pictures of many sources in one gray band."""
FIELD_PIX = 48


def _blobs(n: int, *, n_bands: int = 2, size_pix: int = SIZE_PIX, seed: int = 5) -> NetworkBatch:
    """Elongated blobs of differing width and slope in network space, with one standardized scalar a band."""
    chance = generator_from_seed(seed)
    axis = torch.linspace(-1, 1, size_pix)
    shape = torch.rand(n, 4, generator=chance)
    x = axis[None, None, :] - 0.4 * (shape[:, 0, None, None] - 0.5)
    y = axis[None, :, None] - 0.4 * (shape[:, 1, None, None] - 0.5)
    width = 0.2 + 0.5 * shape[:, 2:, None, None]
    radius = (x / width[:, 0]) ** 2 + (y / width[:, 1]) ** 2
    pixels = torch.stack([torch.exp(-radius * (1 + 0.3 * band)) - 0.3 for band in range(n_bands)], dim=1)
    return NetworkBatch(pixels, torch.randn(n, n_bands, generator=chance))


def _pictures(batch: NetworkBatch) -> NetworkBatch:
    """Bring blobs to pixels from 0 to 1, with nothing beside them."""
    return NetworkBatch((batch.pixels + 0.3).clamp(0, 1), batch.scalars[:, :0])


def _fields(n: int, *, n_bands: int = 1, size_pix: int = FIELD_PIX, seed: int = 5) -> NetworkBatch:
    """Fields of some eight small sources on a noisy sky, whole gray levels divided by 255, with nothing beside them."""
    chance = generator_from_seed(seed)
    axis = torch.arange(size_pix, dtype=torch.float32)
    pixels = 2 + 0.7 * torch.randn(n, n_bands, size_pix, size_pix, generator=chance)
    for place in range(n):
        level = 0.6 + 0.8 * torch.rand(1, generator=chance)
        for _ in range(int(torch.randint(5, 12, (1,), generator=chance))):
            x, y, bright, wide = torch.rand(4, generator=chance)
            width = (1.0 + wide) * level
            radius = ((axis - x * size_pix) ** 2 + (axis[:, None] - y * size_pix) ** 2) / width**2
            pixels[place] += 12 * (bright + 0.05) ** -1.0 * torch.exp(-radius / 2)
    return NetworkBatch(pixels.floor().clamp(0, 255) / 255, torch.empty(n, 0))


def _maker_for(request: pytest.FixtureRequest):
    """The function that makes a set which the family of a test, or a variant of one, takes."""
    family = (
        TINY_CONFIGS[request.getfixturevalue("family")].family if "family" in request.fixturenames else ""
    )
    if family in OF_FIELDS:
        return _fields
    if family in OF_PICTURES:
        return lambda n, **shape: _pictures(_blobs(n, **shape))
    return _blobs


def _description_of(batch: NetworkBatch) -> DataDescription:
    """Describe a batch as a training set; what has no scalars and lies in 0 to 1 is one of pictures."""
    n_bands = batch.pixels.shape[1]
    return DataDescription(
        bands=tuple("grizy"[:n_bands]),
        size_pix=batch.pixels.shape[-1],
        scalar_names=tuple(f"log_flux_{band}" for band in range(batch.scalars.shape[1])),
        n_train=len(batch.pixels),
        shows="field" if batch.pixels.shape[-1] == FIELD_PIX else "galaxy",
        pixel_range=(0.0, 1.0) if batch.scalars.shape[1] == 0 and bool((batch.pixels >= 0).all()) else None,
    )


def _build(family: str, batch: NetworkBatch, *, seed: int = 0, config: Settings | None = None):
    """Build a tiny trainer of a family, or of a variant of one, on a batch."""
    config = TINY_CONFIGS[family] if config is None else config
    return family_named(config.family).build_trainer(
        config,
        _description_of(batch),
        lambda: iter([batch]),
        seed=seed,
        device="cpu",
        precision="float32",
    )


@pytest.fixture
def training_blobs(request) -> NetworkBatch:
    return _maker_for(request)(96)


@pytest.fixture
def blobs(request):
    return _maker_for(request)


@pytest.fixture(scope="session")
def fields():
    return _fields


@pytest.fixture(scope="session")
def pictures():
    """A function that makes pixels from 0 to 1 of a batch of blobs."""
    return _pictures


@pytest.fixture(scope="session")
def description_of():
    return _description_of


@pytest.fixture(scope="session")
def build():
    return _build


@pytest.fixture(scope="session")
def tiny_configs() -> dict[str, Settings]:
    return TINY_CONFIGS


@pytest.fixture(params=sorted(TINY_CONFIGS))
def family(request) -> str:
    """Name of a family, or of a variant of one, with a tiny config."""
    return request.param


@pytest.fixture
def transform() -> PixelTransform:
    return PixelTransform(
        kind="asinh",
        factor_flux=True,
        size_pix=SIZE_PIX,
        softening=(0.02, 0.03),
        mean=(1.0, 2.0),
        scale=(0.5, 0.25),
        flux=Standardization((3.0, 4.0), (1.0, 2.0)),
        native_size=None,
    )
