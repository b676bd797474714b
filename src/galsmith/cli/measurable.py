"""What `galsmith measure` was given, a store or image files, opened: it can be measured, and one galaxy be drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from galsmith.cli.outcome import Outcome
from galsmith.errors import SettingsError

if TYPE_CHECKING:
    from galsmith.cli.measure_flags import FileFlags, MethodFlags
    from galsmith.data.galaxies import FileGalaxies, FileGalaxy
    from galsmith.execution import ProgressCallback
    from galsmith.images import ImageSet
    from galsmith.measure import MeasureSettings


class Measurable(Protocol):
    """Galaxies that can be measured and drawn."""

    @property
    def settings(self) -> "MeasureSettings":
        """Return how they are measured."""

    def names(self) -> Sequence[str]:
        """Return the galaxies' ``object_id``."""

    def galaxy(self, index: int) -> "FileGalaxy":
        """Read one galaxy with what belongs to it; its image has the measured band alone."""

    def measure(self, output: Path, **how: Any) -> Outcome:
        """Measure all galaxies into a table."""


def open_measurable(
    images: list[str],
    method: "MethodFlags",
    files: "FileFlags",
    overrides: list[str],
    *,
    progress: "ProgressCallback",
) -> Measurable:
    """Open a store, or image files with all that was given beside them, and settle how they are measured."""
    from galsmith.data.store import is_store, open_store

    if len(images) == 1 and is_store(images[0]):
        files.refuse_for_store(images[0])
        settings = method.to_settings(overrides, for_files=False, central=False)
        return MeasurableStore(open_store(images[0]), settings, method.engine)
    stores = [image for image in images if is_store(image)]
    if stores:
        raise SettingsError(f"{stores[0]}: a store among {len(images)} inputs; measure each store by itself")
    from galsmith.data.galaxies import open_galaxies

    is_central = files.catalog is not None and files.segmap is None
    settings = method.to_settings(overrides, for_files=True, central=is_central)
    request = files.to_request(images, settings)
    return MeasurableFiles(open_galaxies(request, progress=progress), settings, method.engine)


@dataclass(frozen=True)
class MeasurableStore:
    """A store."""

    images: "ImageSet"
    settings: "MeasureSettings"
    engine: str

    def names(self) -> Sequence[str]:
        """Return the galaxies' ``object_id``."""
        return [str(name) for name in self.images.catalog["object_id"]]

    def galaxy(self, index: int) -> "FileGalaxy":
        """Read one galaxy; its image has the measured band alone."""
        from galsmith.data.galaxies import FileGalaxy
        from galsmith.measure.settings import resolved_settings

        bands = self.images.header.bands
        resolved = resolved_settings(self.settings, bands=bands, flux_unit=self.images.header.flux_unit)
        place = bands.index(resolved.band) if resolved.band in bands else 0
        return FileGalaxy(self.images[index][place : place + 1].astype("float64"))

    def measure(self, output: Path, **how: Any) -> Outcome:
        """Measure all galaxies into a table."""
        from galsmith.cli.tables import outcome_of_table
        from galsmith.measure import measure

        table = measure(self.images, output, engine=self.engine, settings=self.settings, **how)
        return outcome_of_table(table, output)


@dataclass(frozen=True)
class MeasurableFiles:
    """Image files."""

    galaxies: "FileGalaxies"
    settings: "MeasureSettings"
    engine: str

    def names(self) -> Sequence[str]:
        """Return the galaxies' ``object_id``."""
        return [str(name) for name in self.galaxies.catalog["object_id"]]

    def galaxy(self, index: int) -> "FileGalaxy":
        """Read one galaxy with what belongs to it; its image has the measured band alone, else the first."""
        galaxy = self.galaxies.read([index])[0]
        if galaxy.reason:
            return galaxy
        bands = self.galaxies.header.bands
        place = bands.index(self.galaxies.band) if self.galaxies.band in bands else 0
        sigma_map = None if galaxy.sigma_map is None else galaxy.sigma_map[place : place + 1]
        return replace(galaxy, image=galaxy.image[place : place + 1], sigma_map=sigma_map)

    def measure(self, output: Path, **how: Any) -> Outcome:
        """Measure all galaxies into a table."""
        from galsmith.cli.tables import outcome_of_table
        from galsmith.measure.file_run import measure_files

        table = measure_files(self.galaxies, output, engine=self.engine, settings=self.settings, **how)
        return outcome_of_table(table, output)
