"""From an image set to its features: rendering and a network, a batch at a time, kept as it goes."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from galsmith.errors import InputError, InterruptedRunError, OutputExistsError, SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, available_cores, ignore_progress
from galsmith.features.extractors import DEFAULT_EXTRACTOR, FeatureExtractor, build_extractor
from galsmith.features.feature_set import FEATURES, FeatureSet, fingerprint_of, read_features, write_features
from galsmith.features.rendering import Rendering, render, rendering_of
from galsmith.files import Partial, check_output, settle, written_atomically
from galsmith.images import ImageSet
from galsmith.provenance import Provenance

Features = NDArray[np.float32]
# On a CPU the activations of a few pictures stay in its caches, and each thread sees batches of its own; twice as fast
# as many pictures on all threads. A GPU wants many.
PICTURES_AT_ONCE, PICTURES_AT_ONCE_ELSEWHERE = 4, 64
# A stopped run loses at most a chunk, some ten seconds of work.
IMAGES_PER_CHUNK = 512


def extract(
    images: ImageSet,
    output: str | Path | None = None,
    *,
    extractor: str | FeatureExtractor = DEFAULT_EXTRACTOR,
    weights: str | Path | None = None,
    rendering: str | None = None,
    band: str | None = None,
    device: str = "cpu",
    workers: int | None = None,
    batch_size: int | None = None,
    download: bool = False,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> FeatureSet:
    """Extract the features of every image.

    With `output`, what was extracted before from the same images by the same extractor is read from there, and a
    stopped run goes on where it stopped.

    Parameters
    ----------
    images : ImageSet
        In memory or a store; sizes may differ.
    output : str or Path, optional
        File to keep the features in (HDF5).
    extractor : str or FeatureExtractor
        A name in `galsmith.features.EXTRACTORS`, or one's own.
    weights : str or Path, optional
        File of weights; see `galsmith.features.weights.find_weights`.
    rendering : {"magma", "asinh", "rgb"}, optional
        How an image becomes a picture; see `galsmith.features.rendering.rendering_of`. In color where there are three
        bands or more, where left out.
    band : str, optional
        The band that is rendered.
    device : str
        As torch names it.
    workers : int, optional
        Threads, each with batches of its own; all cores of a CPU, and one elsewhere, when left out.
    batch_size : int, optional
        Images of a thread at a time; a matter of memory and speed, values differ by rounding alone.
    download : bool
        Fetch weights that are not on this machine.
    overwrite : bool
        Replace other features at `output`.
    progress : callable, optional
        Told after each batch.

    Raises
    ------
    SettingsError
        If an argument is unknown or out of range.
    InputError
        If torch or weights are missing, or an image cannot be rendered.
    OutputExistsError
        If `output` holds something else.
    InterruptedRunError
        If the user stopped it.
    """
    for name, value in (("batch_size", batch_size), ("workers", workers)):
        if value is not None and value < 1:
            raise SettingsError(argument=name, came=value, wanted="1 or more")
    if len(images) == 0:
        raise InputError(f"{images.path or 'images'}: holds no image; wanted at least one")
    if output is not None:
        check_output(output, FEATURES, inputs=[images.path or None], overwrite=overwrite)
    chosen = rendering_of(images, rendering, band=band)
    network = (
        build_extractor(extractor, weights=weights, device=device, download=download)
        if isinstance(extractor, str)
        else extractor
    )
    on_cpu = device == "cpu"
    job = _Job(
        images,
        network,
        chosen,
        batch_size=(PICTURES_AT_ONCE if on_cpu else PICTURES_AT_ONCE_ELSEWHERE)
        if batch_size is None
        else batch_size,
        workers=(available_cores() if on_cpu else 1) if workers is None else workers,
    )
    with _torch_as_wanted():
        return job.in_memory(progress) if output is None else job.to_file(Path(output), overwrite, progress)


@dataclass(frozen=True)
class _Job:
    """One extraction."""

    images: ImageSet
    extractor: FeatureExtractor
    rendering: Rendering
    batch_size: int
    workers: int

    @property
    def extractor_id(self) -> str:
        """All that the features depend on besides the images."""
        return f"{self.extractor.id}/{self.rendering.id}"

    def in_memory(self, progress: ProgressCallback) -> FeatureSet:
        """Extract all, keep nothing on disk."""
        return self._joined([self._chunk(*chunk, progress) for chunk in self._chunks()])

    def to_file(self, output: Path, overwrite: bool, progress: ProgressCallback) -> FeatureSet:  # noqa: FBT001
        """Extract what is missing and write the file, or read the file that is there already."""
        settle(output)
        if output.is_file() and not overwrite:
            return self._kept(output)
        fingerprint = fingerprint_of(self.extractor_id, self.images.content_hash)
        layout, inputs = {"images_per_chunk": IMAGES_PER_CHUNK}, [self.images.path or None]
        with Partial(
            output, FEATURES, fingerprint, layout=layout, inputs=inputs, overwrite=overwrite
        ) as partial:
            if partial.is_complete:
                return read_features(output)
            self._fill(partial, progress)
            files = sorted(partial.folder.glob("chunk-*.npy"))
            features = self._joined([np.load(file) for file in files])
            write_features(features, partial.content)
            partial.finish()
        return features

    def _fill(self, partial: Partial, progress: ProgressCallback) -> None:
        """Extract the chunks that are left."""
        done = 0
        try:
            for start, stop in self._chunks():
                file = partial.folder / f"chunk-{start:08d}.npy"
                if not file.exists():
                    values = self._chunk(start, stop, progress)
                    with written_atomically(file) as temporary, temporary.open("wb") as stream:
                        np.save(stream, values)
                done = stop
        except KeyboardInterrupt as error:
            raise InterruptedRunError(
                f"extracting features stopped at {done} of {len(self.images)} images; they are kept in {partial.folder}, "
                "and the same command goes on"
            ) from error

    def _chunks(self) -> list[tuple[int, int]]:
        """First and last-but-one image of every chunk."""
        total = len(self.images)
        return [(start, min(start + IMAGES_PER_CHUNK, total)) for start in range(0, total, IMAGES_PER_CHUNK)]

    def _chunk(self, start: int, stop: int, progress: ProgressCallback) -> Features:
        """Features of some images in a row."""
        batches = [
            np.arange(first, min(first + self.batch_size, stop))
            for first in range(start, stop, self.batch_size)
        ]
        values = []
        with _threads(self.workers) as threads:
            for rows, found in zip(batches, threads(self._batch, batches), strict=True):
                values.append(found)
                progress(ProgressEvent("extracting features", int(rows[-1]) + 1, len(self.images), "images"))
        return np.concatenate(values)

    def _batch(self, rows: NDArray[np.int64]) -> Features:
        """Features of one batch; NaN where an image has no picture."""
        images = self.images.pixels.read(rows)
        pictures = [self._picture(int(row), image) for row, image in zip(rows, images, strict=True)]
        usable = [place for place, picture in enumerate(pictures) if picture is not None]
        values = np.full((len(rows), self.extractor.n_features), np.nan, dtype=np.float32)
        values[usable] = self.extractor.extract([picture for picture in pictures if picture is not None])
        return values

    def _picture(self, row: int, image: NDArray[np.float32]) -> NDArray[np.uint8] | None:
        """Render one image, naming it where that fails."""
        try:
            return render(image, self.rendering)
        except ValueError as error:
            name = self.images.catalog["object_id"][row]
            raise InputError(f"{self.images.path or 'images'}: image {name} {error}") from error

    def _joined(self, chunks: list[Features]) -> FeatureSet:
        """Make the record."""
        return FeatureSet(
            values=np.concatenate(chunks),
            extractor_id=self.extractor_id,
            object_ids=tuple(str(name) for name in self.images.catalog["object_id"]),
            source_hash=self.images.content_hash,
            source_path=self.images.path,
            provenance=Provenance(
                "extract features",
                {
                    "extractor_id": self.extractor_id,
                    "weights_sha256": self.extractor.weights_sha256,
                    "rendering": self.rendering.kind,
                    "bands": list(self.rendering.bands),
                },
                parents=(self.images.as_parent("images"),),
            ),
        )

    def _kept(self, output: Path) -> FeatureSet:
        """Read features that are there, if they are those that are asked for."""
        features = read_features(output)
        if (features.extractor_id, features.source_hash) != (self.extractor_id, self.images.content_hash):
            raise OutputExistsError(
                f"{output}: holds features of {features.source_path or 'other images'} by {features.extractor_id}, "
                f"wanted those of {self.images.path or 'these images'} by {self.extractor_id}; "
                "choose another file or replace it with `overwrite`"
            )
        return features


@contextlib.contextmanager
def _threads(workers: int) -> Iterator[Callable[..., Iterator[Features]]]:
    """Give a map over batches, in order; what waits is dropped at an interruption."""
    if workers == 1:
        yield map
        return
    pool = ThreadPoolExecutor(workers)
    try:
        yield pool.map
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _torch_as_wanted() -> Iterator[None]:
    """Let torch, where it is loaded, use one thread an operation and all bits, and afterward what it did before.

    A GPU would round the factors of convolutions to 10 bits (TF32), and its features would be others than a CPU's.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield
    finally:
        torch.set_num_threads(before)
