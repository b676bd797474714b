"""From an image set to its features: rendering and a network, a batch at a time, kept as it goes."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from galsmith.errors import InputError, InterruptedRunError, OutputExistsError, SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.features.extractors import DEFAULT_EXTRACTOR, FeatureExtractor, build_extractor
from galsmith.features.feature_set import FeatureSet, read_features, write_features
from galsmith.features.rendering import Rendering, render, rendering_of
from galsmith.files import refuse_existing, write_json, written_atomically
from galsmith.images import ImageSet
from galsmith.provenance import Provenance, hash_json

Features = NDArray[np.float32]
BATCH_SIZE = 64
# A stopped run loses at most a chunk, some ten seconds of work.
IMAGES_PER_CHUNK = 512


def extract(
    images: ImageSet,
    output: str | Path | None = None,
    *,
    extractor: str | FeatureExtractor = DEFAULT_EXTRACTOR,
    weights: str | Path | None = None,
    rendering: str = "magma",
    band: str | None = None,
    device: str = "cpu",
    workers: int | None = None,
    batch_size: int = BATCH_SIZE,
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
    rendering : {"magma", "rgb"}
        How an image becomes a picture; see `galsmith.features.rendering.rendering_of`.
    band : str, optional
        The band that is rendered.
    device : str
        As torch names it.
    workers : int, optional
        Threads of the network on a CPU; torch's own choice when left out.
    batch_size : int
        Images at a time; a matter of memory and speed, values differ by rounding alone.
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
            raise SettingsError(f"{name} is {value}; wanted 1 or more")
    if len(images) == 0:
        raise InputError(f"{images.path or 'images'}: holds no image; wanted at least one")
    chosen = rendering_of(images, rendering, band=band)
    network = (
        build_extractor(extractor, weights=weights, device=device, download=download)
        if isinstance(extractor, str)
        else extractor
    )
    job = _Job(images, network, chosen, batch_size)
    with _threads(workers):
        return job.in_memory(progress) if output is None else job.to_file(Path(output), overwrite, progress)


@dataclass(frozen=True)
class _Job:
    """One extraction."""

    images: ImageSet
    extractor: FeatureExtractor
    rendering: Rendering
    batch_size: int

    @property
    def extractor_id(self) -> str:
        """All that the features depend on besides the images."""
        return f"{self.extractor.id}/{self.rendering.id}"

    def in_memory(self, progress: ProgressCallback) -> FeatureSet:
        """Extract all, keep nothing on disk."""
        return self._joined([self._chunk(*chunk, progress) for chunk in self._chunks()])

    def to_file(self, output: Path, overwrite: bool, progress: ProgressCallback) -> FeatureSet:  # noqa: FBT001
        """Extract what is missing and write the file, or read the file that is there already."""
        if output.is_file() and not overwrite:
            return self._kept(output)
        refuse_existing(output, overwrite=overwrite)
        folder = self._folder(output)
        done = 0
        try:
            for start, stop in self._chunks():
                file = folder / f"chunk-{start:08d}.npy"
                if not file.exists():
                    values = self._chunk(start, stop, progress)
                    with written_atomically(file) as temporary, temporary.open("wb") as stream:
                        np.save(stream, values)
                done = stop
        except KeyboardInterrupt as error:
            raise InterruptedRunError(
                f"extracting features stopped at {done} of {len(self.images)} images; they are kept in {folder}, "
                "and the same command goes on"
            ) from error
        features = self._joined([np.load(file) for file in sorted(folder.glob("chunk-*.npy"))])
        write_features(features, output)
        shutil.rmtree(folder)
        return features

    def _chunks(self) -> list[tuple[int, int]]:
        """First and last-but-one image of every chunk."""
        total = len(self.images)
        return [(start, min(start + IMAGES_PER_CHUNK, total)) for start in range(0, total, IMAGES_PER_CHUNK)]

    def _chunk(self, start: int, stop: int, progress: ProgressCallback) -> Features:
        """Features of some images in a row."""
        values = np.full((stop - start, self.extractor.n_features), np.nan, dtype=np.float32)
        for first in range(start, stop, self.batch_size):
            rows = np.arange(first, min(first + self.batch_size, stop))
            pictures = [self._picture(int(row), image) for row, image in self._read(rows)]
            usable = [place for place, picture in enumerate(pictures) if picture is not None]
            found = self.extractor.extract([picture for picture in pictures if picture is not None])
            values[rows[usable] - start] = found
            progress(ProgressEvent("extracting features", int(rows[-1]) + 1, len(self.images), "images"))
        return values

    def _read(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Read images with their rows."""
        yield from zip(rows.tolist(), self.images.pixels.read(rows), strict=True)

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
                    "band": self.rendering.band,
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
                "choose another file or replace it with overwrite"
            )
        return features

    def _folder(self, output: Path) -> Path:
        """Open the folder of finished chunks beside the output; one of another extraction is begun anew."""
        folder = output.with_name(output.name + ".partial")
        mark = folder / "settings.json"
        fingerprint = hash_json([self.extractor_id, self.images.content_hash, IMAGES_PER_CHUNK])
        if not (mark.exists() and fingerprint in mark.read_text(encoding="utf-8")):
            shutil.rmtree(folder, ignore_errors=True)
            write_json(mark, {"fingerprint": fingerprint, "extractor_id": self.extractor_id})
        return folder


@contextlib.contextmanager
def _threads(workers: int | None) -> Iterator[None]:
    """Let torch use so many threads, and afterward as many as before."""
    if workers is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(workers)
    try:
        yield
    finally:
        torch.set_num_threads(before)
