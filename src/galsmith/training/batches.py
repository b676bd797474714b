"""The training set in network space: whether it can teach anything, in which order, in memory or read as training goes."""

import logging
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from galsmith.data.transforms import FittingSample, PixelTransform
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.images import ImageSet
from galsmith.models.protocols import NetworkBatch
from galsmith.models.shares import WHOLE, Share
from galsmith.seeds import random_stream
from galsmith.training.augmentation import FIELD_COPIES, drawn_offsets, field_copies
from galsmith.training.crops import FreshCrops
from galsmith.training.settings import RunSettings

logger = logging.getLogger("galsmith")

IMAGES_PER_CHUNK, PIXELS_PER_CHUNK = 256, 2**22
SHARE_OF_FREE_DEVICE_MEMORY = 0.25
FEW_IMAGES, SOME_IMAGES, PASSES = 100, 5000, 100
IMAGES_PER_LOOK = 64
SCALARS_KEPT = 4096


def image_order(n_images: int, *, seed: int, images_seen: int, count: int) -> NDArray[np.int64]:
    """Positions in the training set of the next images; each pass over the set is a permutation of its own.

    Parameters
    ----------
    n_images : int
        Size of the training set.
    seed : int
        The run's seed.
    images_seen : int
        Images shown before.
    count : int
        How many come next; they may reach over the end of a pass.

    Returns
    -------
    ndarray [count], int64
        Indices in [0, n_images).
    """
    places = np.arange(images_seen, images_seen + count)
    indices = np.empty(count, dtype=np.int64)
    for pass_number in np.unique(places // n_images):
        here = places // n_images == pass_number
        indices[here] = _permutation(n_images, seed, int(pass_number))[places[here] % n_images]
    return indices


@lru_cache(maxsize=2)
def _permutation(n_images: int, seed: int, pass_number: int) -> NDArray[np.int64]:
    """Order of one pass over the set."""
    return random_stream(seed, "train.order", pass_number).permutation(n_images)


Compaction = Callable[[NetworkBatch], NetworkBatch]


@dataclass(frozen=True)
class BatchOrder:
    """Which images come in which step.

    Attributes
    ----------
    n_images, batch_size : int
        Of the training set, and of a step.
    seed : int
        The run's seed.
    n_copies : int
        How many copies of each image a pass shows: 1, or those of `galsmith.training.augmentation`.
    is_endless : bool
        Whether the set gives another image for every number, and is never gone through again.
    share : Share
        Which places of each step's batch are given.
    """

    n_images: int
    batch_size: int
    seed: int
    n_copies: int = 1
    is_endless: bool = False
    share: Share = WHOLE

    def after(self, images_seen: int) -> NDArray[np.int64]:
        """Positions of the images that come after `images_seen` others."""
        if self.is_endless:
            return np.arange(images_seen, images_seen + self.batch_size)[self.share.places]
        return self._shown(images_seen) % self.n_images

    def augmented(self, batch: NetworkBatch, images_seen: int) -> NetworkBatch:
        """Make of the images that `after` names the copies that are shown; the same ones where there is one copy."""
        if self.n_copies == 1:
            return batch
        side = batch.pixels.shape[-1]
        offsets = drawn_offsets(self.batch_size, side_pix=side, seed=self.seed, images_seen=images_seen)
        copies = self._shown(images_seen) // self.n_images
        pixels = field_copies(batch.pixels, copies, offsets[self.share.places])
        return NetworkBatch(pixels, batch.scalars)

    def _shown(self, images_seen: int) -> NDArray[np.int64]:
        """Numbers of copies, copy by copy of the whole set."""
        count = self.n_images * self.n_copies
        order = image_order(count, seed=self.seed, images_seen=images_seen, count=self.batch_size)
        return order[self.share.places]


Batch_co = TypeVar("Batch_co", covariant=True)


class Batches(Protocol[Batch_co]):
    """Gives the batch of any step."""

    def at(self, images_seen: int) -> Batch_co:
        """Give the images that come after `images_seen` others, on the training device."""

    def close(self) -> None:
        """Let go of threads and files."""


class TrainingSet:
    """The training split, transformed when asked for.

    Parameters
    ----------
    images : ImageSet
        The training split.
    transform : PixelTransform
        Fitted on it.
    fluxes : ndarray [galaxy, band], float64, optional
        Summed over each image, where they are known.
    progress : callable
        Told how far each pass over the set is.
    """

    def __init__(
        self,
        images: ImageSet,
        transform: PixelTransform,
        *,
        fluxes: NDArray[np.float64] | None = None,
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        self.images = images
        self.transform = transform
        self.conditions = transform.condition_values(images.catalog)
        self._fluxes = fluxes
        self._progress = progress

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, indices: NDArray[np.int64]) -> NetworkBatch:
        """Read some images, in the order of `indices`, on the CPU."""
        arrays = self.transform.forward(
            self.images.pixels.read(indices), self.conditions[indices % len(self)]
        )
        return NetworkBatch(torch.from_numpy(arrays.pixels), torch.from_numpy(arrays.scalars))

    @cached_property
    def some_scalars(self) -> NDArray[np.float32] | None:
        """Standardized scalars of 4096 images at most, evenly over the set, [galaxy, scalar]; None without scalars."""
        if not self.transform.scalar_names:
            return None
        count = min(len(self), SCALARS_KEPT)
        indices = np.linspace(0, len(self) - 1, count).round().astype(np.int64)
        return self.scalars(indices)

    def scalars(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Standardized scalars of some images, [galaxy, scalar]; images are read only where their fluxes are not known."""
        if self._fluxes is not None:
            fluxes = self._fluxes[indices]
        else:
            parts = np.split(indices, range(self.images_at_once, len(indices), self.images_at_once))
            fluxes = np.concatenate(
                [
                    [image.sum(axis=(-2, -1), dtype=np.float64) for image in self.images.pixels.read(part)]
                    for part in parts
                ]
            )
        sizes_pix = self.images.shapes[indices % len(self), 1]
        return self.transform.scalars(fluxes, self.conditions[indices % len(self)], sizes_pix)

    @property
    def images_at_once(self) -> int:
        """Images to bring to network space at once; fewer large ones, whose float64 copies would take gigabytes."""
        return min(IMAGES_PER_CHUNK, max(1, PIXELS_PER_CHUNK // self.transform.size_pix**2))

    def chunks(self) -> Iterator[NetworkBatch]:
        """Go once over the set, in order."""
        size = self.images_at_once
        for start in range(0, len(self), size):
            end = min(start + size, len(self))
            yield self.rows(np.arange(start, end))
            self._progress(ProgressEvent("preparing", end, len(self), "images"))


class FittingBatches:
    """Batches that a family fits on before its first step: those of a sample in memory, and the scalars of all images.

    Parameters
    ----------
    training_set : TrainingSet
        All images.
    sample : FittingSample
        Of the same images.
    progress : callable
        Told how far each round over the sample is.
    """

    def __init__(
        self,
        training_set: TrainingSet,
        sample: FittingSample,
        *,
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        self._training_set, self._sample, self._progress = training_set, sample, progress

    def __len__(self) -> int:
        return len(self._sample.images)

    def __call__(self) -> Iterator[NetworkBatch]:
        """Go once over the sample, in order."""
        rows, conditions = self._sample.rows, self._training_set.conditions
        size = self._training_set.images_at_once
        for start in range(0, len(self), size):
            part = slice(start, min(start + size, len(self)))
            arrays = self._training_set.transform.forward(
                self._sample.images[part], conditions[rows[part] % len(conditions)]
            )
            yield NetworkBatch(torch.from_numpy(arrays.pixels), torch.from_numpy(arrays.scalars))
            self._progress(ProgressEvent("fitting", part.stop, len(self), "images"))

    def all_scalars(self) -> torch.Tensor:
        """Scalars of all images, [galaxy, scalar]."""
        return torch.from_numpy(self._training_set.scalars(np.arange(len(self._training_set))))


def make_batches(
    training_set: TrainingSet,
    compacted: Compaction,
    *,
    batch_size: int,
    seed: int,
    memory_gb: float,
    device: torch.device,
    augmentation: Literal["fields"] | None = None,
    share: Share = WHOLE,
) -> Batches[NetworkBatch]:
    """Choose between keeping the compacted set in memory and reading it as training goes.

    Parameters
    ----------
    training_set : TrainingSet
        The images.
    compacted : callable
        `Trainer.compacted`.
    batch_size : int
        Images a step.
    seed : int
        The run's seed, which fixes the order.
    memory_gb : float
        Largest size to keep, in 1e9 bytes.
    device : torch.device
        Where steps are taken.
    augmentation : {"fields"}, optional
        Show the 16 copies of `galsmith.training.augmentation` in place of each image, made before it is compacted.
    share : Share
        Which places of each step's batch to give.

    Raises
    ------
    SettingsError
        If images that are to be moved against a black frame are not shown to the network as pictures, where black is 0.
    """
    if augmentation is not None and training_set.transform.kind != "display":
        raise SettingsError(
            f"moves fields against a black frame, and {training_set.transform.kind} pixels have no black",
            argument="training.augmentation",
            came=augmentation,
            way_out="set transform.kind=display, or leave it out",
        )
    is_endless = isinstance(training_set.images.pixels, FreshCrops)
    if augmentation is not None and is_endless:
        raise SettingsError(
            "crops are turned, flipped and never the same",
            argument="training.augmentation",
            came=augmentation,
            way_out="leave it out, or training.crop_pix",
        )
    n_copies = 1 if augmentation is None else FIELD_COPIES
    order = BatchOrder(
        len(training_set), batch_size, seed, n_copies=n_copies, is_endless=is_endless, share=share
    )
    kept = compacted if order.n_copies == 1 else _unchanged
    first = kept(training_set.rows(np.arange(min(8, len(training_set)))).to(device))
    bytes_per_image = (first.pixels.nbytes + first.scalars.nbytes) / len(first.pixels)
    if bytes_per_image * len(training_set) <= memory_gb * 1e9 and not is_endless:
        return KeptBatches(training_set, compacted, order, device=device)
    return ReadBatches(training_set, compacted, order, device=device)


class KeptBatches:
    """The whole compacted set in memory: on the device where it fits there, else pinned for it."""

    def __init__(
        self, training_set: TrainingSet, compacted: Compaction, order: BatchOrder, *, device: torch.device
    ) -> None:
        self._order, self._device = order, device
        # copies are made of whole images, and compacted when they are shown
        self._late = _unchanged if order.n_copies == 1 else compacted
        pixels, scalars = _filled(training_set, compacted if order.n_copies == 1 else _unchanged, device)
        if device.type == "cuda":
            if _fits_on(device, pixels.nbytes + scalars.nbytes):
                pixels, scalars = pixels.to(device), scalars.to(device)
            else:
                pixels, scalars = pixels.pin_memory(), scalars.pin_memory()
        self._set = NetworkBatch(pixels, scalars)

    def at(self, images_seen: int) -> NetworkBatch:
        """Give the images that come after `images_seen` others."""
        rows = torch.from_numpy(self._order.after(images_seen)).to(self._set.pixels.device)
        batch = moved(NetworkBatch(self._set.pixels[rows], self._set.scalars[rows]), self._device)
        return self._late(self._order.augmented(batch, images_seen))

    def close(self) -> None:
        """Let go of nothing: the memory goes with the object."""


class ReadBatches:
    """Reads each batch by index; a thread reads the next one during a step."""

    def __init__(
        self, training_set: TrainingSet, compacted: Compaction, order: BatchOrder, *, device: torch.device
    ) -> None:
        self._training_set, self._compacted = training_set, compacted
        self._order, self._device = order, device
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="galsmith-reader")
        self._ahead: dict[int, Future[NetworkBatch]] = {}

    def at(self, images_seen: int) -> NetworkBatch:
        """Give the images that come after `images_seen` others, and start to read those after them."""
        wanted = self._ahead.pop(images_seen, None) or self._reader.submit(self._read, images_seen)
        following = images_seen + self._order.batch_size
        self._ahead = {following: self._reader.submit(self._read, following)}
        return self._compacted(self._order.augmented(moved(wanted.result(), self._device), images_seen))

    def close(self) -> None:
        """End the reading thread."""
        self._reader.shutdown(wait=True, cancel_futures=True)

    def _read(self, images_seen: int) -> NetworkBatch:
        """Read one batch, in the thread."""
        batch = self._training_set.rows(self._order.after(images_seen))
        if self._device.type != "cuda":
            return batch
        return NetworkBatch(batch.pixels.pin_memory(), batch.scalars.pin_memory())


def _unchanged(batch: NetworkBatch) -> NetworkBatch:
    """Leave a batch as it is."""
    return batch


def moved(batch: NetworkBatch, device: torch.device) -> NetworkBatch:
    """Move a batch to a device without waiting for it."""
    return NetworkBatch(
        batch.pixels.to(device, non_blocking=True), batch.scalars.to(device, non_blocking=True)
    )


def _filled(
    training_set: TrainingSet, compacted: Compaction, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compact the whole set into two tensors on the CPU, chunk by chunk."""
    pixels, scalars, start = torch.empty(0), torch.empty(0), 0
    for chunk in training_set.chunks():
        small = compacted(chunk.to(device))
        if start == 0:
            pixels = torch.empty((len(training_set), *small.pixels.shape[1:]), dtype=small.pixels.dtype)
            scalars = torch.empty((len(training_set), *small.scalars.shape[1:]), dtype=small.scalars.dtype)
        end = start + len(small.pixels)
        pixels[start:end], scalars[start:end] = small.pixels.cpu(), small.scalars.cpu()
        start = end
    return pixels, scalars


def _fits_on(device: torch.device, n_bytes: int) -> bool:
    """Whether a tensor takes a small enough share of a device's free memory."""
    free, _ = torch.cuda.mem_get_info(device)
    return n_bytes <= SHARE_OF_FREE_DEVICE_MEMORY * free


def refuse_equal_images(images: ImageSet) -> None:
    """Refuse a training split whose images are all the same, whatever the family.

    It is read up to the first image that differs from the first, which mostly is the second.

    Raises
    ------
    InputError
        If there are two or more images and they are equal pixel by pixel.
    """
    first = images.pixels.read(np.arange(1))[0]
    for start in range(1, len(images), IMAGES_PER_LOOK):
        rows = np.arange(start, min(start + IMAGES_PER_LOOK, len(images)))
        if not all(np.array_equal(first, image) for image in images.pixels.read(rows)):
            return
    if len(images) > 1:
        raise InputError(
            f"all {len(images):,} training images are equal pixel by pixel; nothing can be learned: check what was ingested"
        )


def _is_shown_often(n_images: int, settings: RunSettings) -> bool:
    """Whether a budget is of so many passes that a model can learn images by heart; minutes may be of any number."""
    images = settings.training.images
    return images is None or images >= PASSES * n_images


def warn_of_few_images(images: ImageSet, settings: RunSettings) -> None:
    """Tell what to expect of a small set, and what helps or tells more."""
    if FEW_IMAGES <= len(images) < SOME_IMAGES and _is_shown_often(len(images), settings):
        logger.warning(
            "%s training images are shown again and again, and drawn %s may repeat them: galsmith check-data %s says in "
            "four minutes whether so many are enough",
            f"{len(images):,}",
            images.header.images_name,
            images.path or "STORE",
        )
    if not 0 < len(images) < FEW_IMAGES:
        return
    ways = ["start from a model of a larger set with `init_from`"]
    ways += [f"raise model.{name}" for name in settings.family.against_repeats]
    logger.warning(
        "only %d training images: expect drawn %s that repeat them, where some thousands are wanted; %s, and keep "
        "the best snapshot with training.choose_snapshot=best",
        len(images),
        images.header.images_name,
        ", ".join(ways),
    )


def warn_of_memory(images: ImageSet, settings: RunSettings) -> None:
    """Say before the first pass that a set will not be kept in memory, what it would take and what to set."""
    if not settings.family.keeps_pixels or not len(images):
        return
    size_pix = settings.transform.size_pix or int(images.shapes.max())
    wanted_gb = 4e-9 * len(images) * len(images.header.bands) * size_pix**2
    training = settings.training
    if wanted_gb <= training.memory_gb or training.crop_pix is not None:
        return
    there_gb = 1e-9 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    ways = [f"transform.size_pix={size_pix // 2} takes a quarter of it"]
    if wanted_gb < there_gb:
        ways.insert(
            0,
            f"set training.memory_gb={math.ceil(wanted_gb)} to keep them (this machine has {there_gb:.0f} GB)",
        )
    logger.warning(
        "%s images of %d px in %s take %.1f GB in memory, and training.memory_gb is %g: every pass reads them from the "
        "store again; %s",
        f"{len(images):,}",
        size_pix,
        images.bands_text,
        wanted_gb,
        training.memory_gb,
        ", or ".join(ways),
    )
