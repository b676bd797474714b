"""How much faster a step is with bfloat16 blocks, bands side by side in memory and crops, and whether it learns as well.

    galsmith simulate components -n 240 -o clean --set frame.low_pix=64 --set frame.high_pix=112
    python benchmarks/denoise/benchmark_step.py clean --images 480 --seeds 4

Trains one network twice on the same looks: plainly (float32, images one by one) and with the settings under test, turn by
turn so that other programs disturb both alike, and prints CPU milliseconds an image, their ratio, and both validation
losses, each the mean over the same 64 looks, in float32. Rates fall to zero over the budget.
"""

import argparse
import copy
import math
import statistics
import time

import torch

from galsmith.data.store import open_store
from galsmith.denoise.looks import Looks
from galsmith.denoise.material import CleanImages, LookBatches, LookOrder, chosen_material
from galsmith.denoise.settings import read_fit_settings
from galsmith.denoise.trainer import NetworkTrainer, ValidationLooks, validation_losses
from galsmith.models.protocols import TrainingProgress

TURN = 40  # images


class Contender:
    """One way to train, with the time that its steps took."""

    def __init__(self, settings, material, *, precision, channels_last):
        training, header = settings.training, material.real.header
        self.network = settings.method.build(settings.model, len(header.bands))
        self.network.start(training.seed)
        self.network.precision = precision
        if channels_last:
            self.network.to(memory_format=torch.channels_last)
        self.trainer = NetworkTrainer(self.network, training)
        looks = Looks(settings.observation, settings.range, header)
        order = LookOrder(
            training.seed, training.batch_size, crop_pix=training.crop_pix, buckets=training.buckets
        )
        self.batches = LookBatches(CleanImages(material.real), looks, order, device=torch.device("cpu"))
        self.seconds, self.seen, self.training = 0.0, 0, training

    def take_turn(self, n_images, total):
        """Take the steps of some images; looks are drawn outside of the time."""
        for _ in range(n_images // self.training.batch_size):
            batch = self.batches.at(self.seen)
            started = time.process_time()
            self.trainer.step(batch, TrainingProgress(self.training.seed, self.seen, self.seen / total))
            self.seconds += time.process_time() - started
            self.seen += self.training.batch_size


def arguments():
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clean")
    parser.add_argument("--recipe", default="holzschuh2022-resnet")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument(
        "--seeds", type=int, default=1, help="trainings of each, whose losses are compared in pairs"
    )
    parser.add_argument("--batch", type=int, default=1, help="images a step of the fast one")
    parser.add_argument("--crop", type=int, help="side of crops of the fast one")
    return parser.parse_args()


def both(given, seed):
    """Train both with one seed, turn by turn; give contenders and losses by name."""
    # rates that end at zero: a loss under way scatters by more than what is asked for
    ends = [f"training.seed={seed}", "training.schedule=linear"]
    plain = read_fit_settings(given.recipe, images=given.images, overrides=ends)
    changes = [*ends, f"training.batch_size={given.batch}"]
    changes += [f"training.crop_pix={given.crop}"] * (given.crop is not None)
    changes += [f"training.learning_rate={plain.training.learning_rate * given.batch**0.5}"]
    fast = read_fit_settings(given.recipe, images=given.images, overrides=changes)
    material = chosen_material(plain, open_store(given.clean), None)
    contenders = {
        "plain": Contender(plain, material, precision="float32", channels_last=False),
        "fast": Contender(fast, material, precision="bfloat16", channels_last=True),
    }
    turn = TURN - TURN % given.batch
    while contenders["plain"].seen < given.images:
        for one in contenders.values():
            one.take_turn(turn, given.images)
    looks = ValidationLooks(
        material.validation, Looks(plain.observation, plain.range, material.real.header), 64, seed
    )
    losses = {}
    for name, one in contenders.items():
        network = copy.deepcopy(one.network)
        network.precision = "float32"
        losses[name] = validation_losses(network, looks, torch.device("cpu"))["loss"]
    return contenders, losses


def main():
    given = arguments()
    torch.set_num_threads(1)
    seconds, logs = {"plain": 0.0, "fast": 0.0}, []
    for seed in range(given.seeds):
        contenders, losses = both(given, seed)
        for name, one in contenders.items():
            seconds[name] += one.seconds
            milliseconds = 1e3 * one.seconds / one.seen
            print(
                f"seed {seed}, {name}: {milliseconds:.2f} ms of CPU an image, loss {losses[name]:.5g}",
                flush=True,
            )
        logs.append(math.log(losses["fast"] / losses["plain"]))
    print(
        f"fast is {seconds['plain'] / seconds['fast']:.2f} times as fast; loss {100 * statistics.mean(logs):+.1f} %",
        end="",
    )
    if len(logs) > 1:
        print(f" +- {100 * statistics.stdev(logs) / math.sqrt(len(logs)):.1f} %", end="")
    print()


if __name__ == "__main__":
    main()
