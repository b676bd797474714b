"""`critic`: the critic of a Wasserstein GAN, fine-tuned to scores in two stages (paper, II-G and appendix C)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from numpy.typing import NDArray

from galsmith.errors import InputError
from galsmith.images.image_set import PixelSequence
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.mixed_blocks import MixedTrunk
from galsmith.models.layers.same_padding import GlorotLinear
from galsmith.models.snapshot import find_snapshot, read_snapshot_page
from galsmith.score.cnn import keras_conv, normalized
from galsmith.score.method import Floats, Learning, Method, hash_of
from galsmith.score.regression import RegressionSettings, ScoreNetwork, Stage, fit_network, restored
from galsmith.seeds import derive_seed
from galsmith.training.checkpoint import load_checkpoint
from galsmith.training.folder import RunFolder

HEAD_CHANNELS, HEAD_WIDTHS = (256, 512), (512, 1024)  # appendix 5
CRITIC, TRUNK = "critic", "trunk."
WIDTH = 8
# of a time budget, where the frozen stage has to end; the paper trains it until validation does not improve
FROZEN_SHARE = 0.4


class CriticSettings(RegressionSettings):
    """As published: new layers first, by Adam 2e-3, then all of them by 3e-4.

    Attributes
    ----------
    start : {"critic", "random"}
        From a trained critic, or its twin of random weights, of which all layers are trained at once.
    rate, factor, patience
        Of the first stage: Adam's rate, by which it falls, after so many epochs without a better validation.
    joint_rate, joint_factor, joint_patience
        Of the second.
    """

    start: Literal["critic", "random"] = "critic"
    rate: float = 2e-3
    factor: float = 0.5
    patience: int = 6
    joint_rate: float = 3e-4
    joint_factor: float = 0.8
    joint_patience: int = 6


class CriticScorer(torch.nn.Module):
    """A critic up to its last concatenation, and new layers (appendix 5).

    6,937,033 numbers at 1000, 500 and 250 px, of which 4,660,993 are new and trained; the running statistics of the
    normalization are counted with them, as Keras does.

    Parameters
    ----------
    size_pix : int
        Side of the fields.
    width : int
        Channels of the critic's first layer.
    chance : torch.Generator
        Draws the first weights.

    Attributes
    ----------
    trunk : MixedTrunk
        What comes from a trained critic.
    """

    def __init__(self, size_pix: int, *, width: int, chance: torch.Generator) -> None:
        super().__init__()
        self.trunk = MixedTrunk(1, size_pix, width=width, chance=chance)
        # two convolutions of three without padding: 7 px become 3
        side = self.trunk.side_pix - 4
        if side < 1:
            raise ValueError(
                f"fields of {size_pix} px leave no pixel to the new layers; wanted 56 px or more"
            )
        first, second = HEAD_CHANNELS
        convolutions = [(self.trunk.n_out, first), (first, second)]
        head: list[torch.nn.Module] = []
        for n_in, n_out in convolutions:
            head += [keras_conv(n_in, n_out, 3, chance=chance), *normalized(n_out)]
        head.append(torch.nn.Flatten(1))
        for n_in, n_out in [(second * side**2, HEAD_WIDTHS[0]), HEAD_WIDTHS]:
            head += [GlorotLinear(n_in, n_out, chance=chance), *normalized(n_out, is_flat=True)]
        self.head = torch.nn.Sequential(*head, GlorotLinear(HEAD_WIDTHS[1], 1, chance=chance))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map [field, 1, y, x] in 0 to 1 to [field, 1]."""
        values: torch.Tensor = self.head(self.trunk(pixels).contiguous())
        return values


def fit(seen: PixelSequence, scores: Floats, settings: CriticSettings, learning: Learning) -> ScoreNetwork:
    """Fit the new layers on a frozen critic, then all layers; or all layers from random weights."""
    chance = generator_from_seed(derive_seed(learning.seed, "score.weights"))
    joint = Stage("all layers", settings.joint_rate, settings.joint_factor, settings.joint_patience)
    weights = None
    if settings.start == "critic" and learning.base is not None:
        weights = critic_weights(learning.base)
    width = WIDTH if weights is None else len(weights["stem.0.weight"])
    network = CriticScorer(learning.side_pix, width=width, chance=chance)
    stages = [joint]
    if weights is not None:
        network.trunk.load_state_dict(weights)
        frozen = Stage(
            "new layers", settings.rate, settings.factor, settings.patience, network.trunk, FROZEN_SHARE
        )
        stages = [frozen, joint]
    facts = {"side_pix": learning.side_pix, "width": width, "start": settings.start}
    return fit_network(
        network, seen, scores, stages=stages, settings=settings, learning=learning, facts=facts
    )


def restore(page: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> ScoreNetwork:
    """Build the network anew and fill it."""
    facts = page["facts"]
    network = CriticScorer(int(facts["side_pix"]), width=int(facts["width"]), chance=generator_from_seed(0))
    return restored(network, page, arrays)


def critic_weights(base: Path) -> dict[str, torch.Tensor]:
    """Read the trunk of a run's critic, which stands beside the generator in its checkpoint.

    Raises
    ------
    InputError
        If there is no checkpoint, or it is of a run without such a critic.
    """
    folder = RunFolder(base)
    if not folder.checkpoint_file.is_file():
        raise InputError(
            f"{base}: has no checkpoint, in which the critic is; give the run folder that galsmith train wrote"
        )
    trainer = load_checkpoint(folder.checkpoint_file).trainer
    critic = trainer.get(CRITIC)
    found = {
        name.removeprefix(TRUNK): value for name, value in (critic or {}).items() if name.startswith(TRUNK)
    }
    if "stem.0.weight" not in found:
        raise InputError(f"{base}: its family trains no critic of fields; give a run of the family wgan")
    return found


def hash_base(base: Path, side_pix: int) -> str:
    """Hash the weights of a run's critic.

    Raises
    ------
    InputError
        If it is no run with such a critic, or its images were of another size.
    """
    if not RunFolder(base).settings_file.is_file():
        raise InputError(f"{base}: not a run; give the run folder that galsmith train wrote")
    weights = critic_weights(base)
    n_bands = weights["stem.0.weight"].shape[1]
    if n_bands != 1:
        raise InputError(f"{base}: its critic looks at {n_bands} bands; wanted one, as fields have")
    trained = side_of_run(base)
    if trained != side_pix:
        raise InputError(
            f"{base}: was trained on images of {trained} px, the fields have {side_pix} px; train on fields of that side"
        )
    return hash_of({name: value.numpy() for name, value in weights.items()})


def side_of_run(base: Path) -> int:
    """Side of the images that a run was trained on, from its snapshot."""
    return int(read_snapshot_page(find_snapshot(base))["description"]["size_pix"])


def wants_base(settings: CriticSettings) -> bool:
    """Whether a critic is needed: the random twin starts from none."""
    return settings.start == "critic"


METHOD = Method("critic", CriticSettings, fit, restore, wants_base=wants_base, hash_base=hash_base)
