"""From one galaxy to its rows of values and flags: morphology, computations of properties' own, colors and power."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.data.galaxies import Galaxy
from galsmith.images import ImageHeader
from galsmith.images.units import gain_of_unit
from galsmith.measure import compiled_engine
from galsmith.measure.colors import add_fluxes, ignored_pixels
from galsmith.measure.corrections import add_corrections
from galsmith.measure.details.row import add_details
from galsmith.measure.engine.batch import GalaxyInput
from galsmith.measure.field.row import field_row
from galsmith.measure.flags import CATASTROPHIC, COMPUTATION_ERROR, FLAT_SKY, NO_POWER, NO_VALUE, ZERO_BORDER
from galsmith.measure.power.spectrum import BINNINGS, power_columns
from galsmith.measure.properties.property import MeasuredStamp, Property
from galsmith.measure.row import Measured
from galsmith.measure.settings import ALL_BANDS, MeasureSettings
from galsmith.measure.statmorph import engine as statmorph_engine
from galsmith.measure.uncertainties import add_uncertainties, map_of

MORPHOLOGY_ENGINES: dict[str, Callable[[GalaxyInput, MeasureSettings], Measured]] = {
    "galsmith": compiled_engine.measure_morphology,
    "statmorph": statmorph_engine.measure_morphology,
}
POSITION_COLUMN = re.compile(r"(?:^|_)([xy])_(?:min_|max_)?pix$")
# what `MeasureSettings.ignore` names, as `Galaxy` has it
_BESIDE = {"mask": "mask", "noise": "sigma_map", "psf": "psf", "gain": "gain"}
APART = "offset_"  # of one band from another, which may be called y


@dataclass(frozen=True)
class Cutout:
    """Where an image was cut from.

    Attributes
    ----------
    x_offset_pix, y_offset_pix : int
        Its first column and row in the whole image.
    noticed : tuple of str
        Names of flags of the cutting.
    """

    x_offset_pix: int = 0
    y_offset_pix: int = 0
    noticed: tuple[str, ...] = ()

    @property
    def is_part(self) -> bool:
        """Whether the whole image has other coordinates."""
        return bool(self.x_offset_pix or self.y_offset_pix)


WHOLE_IMAGE = Cutout()


@dataclass(frozen=True)
class Method:
    """How galaxies of one kind are measured; may be sent to another process.

    Attributes
    ----------
    settings : MeasureSettings
        As `resolved_settings` gave them.
    header : ImageHeader
        Of the images.
    engine : str
        A key of `MORPHOLOGY_ENGINES`.
    computed : tuple of Property
        Those with a computation of their own.
    """

    settings: MeasureSettings
    header: ImageHeader
    engine: str = "galsmith"
    computed: tuple[Property, ...] = ()

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands that have a row each."""
        return self.header.bands if self.settings.band == ALL_BANDS else (str(self.settings.band),)

    @property
    def is_compiled(self) -> bool:
        """Whether kernels do the work, which want threads; anything else wants processes."""
        return self.has_engine or "field" in self.settings.quantities

    @property
    def has_engine(self) -> bool:
        """Whether these are the kernels of the compiled engine."""
        return self.engine == "galsmith" and "morphology" in self.settings.quantities


def rows_of(galaxy: Galaxy, method: Method) -> list[Measured]:
    """Measure one galaxy: one row, or one a band where the setting `band` is ``"all"``.

    Positions are those in the image that it was cut from. With one row, power spectra are of all bands; their columns
    end in the band where there are several.

    Parameters
    ----------
    galaxy : Galaxy
        As its sequence read it.
    method : Method
        How to measure it.
    """
    galaxy = used(galaxy, method.settings)
    if galaxy.reason:
        return [_not_measured(galaxy, method) for _ in method.bands]
    return [noted(row, cutout_of(galaxy)) for row in _measured_bands(galaxy, method)]


def used(galaxy: Galaxy, settings: MeasureSettings) -> Galaxy:
    """Leave out what lies beside a galaxy's image and is to be ignored."""
    left_out: dict[str, Any] = {_BESIDE[name]: None for name in settings.ignore}
    return replace(galaxy, **left_out) if left_out else galaxy


def cutout_of(galaxy: Galaxy) -> Cutout:
    """Say where a galaxy was cut from."""
    return Cutout(galaxy.x_offset_pix, galaxy.y_offset_pix, galaxy.noticed)


def input_of(galaxy: Galaxy, band: int, flux_unit: str) -> GalaxyInput:
    """Give what the engines read of one band, by its place."""

    def of_band(array: NDArray[Any] | None) -> NDArray[Any] | None:
        return array if array is None or array.ndim == 2 else array[band]

    image, sigma_map, mask = galaxy.image[band], of_band(galaxy.sigma_map), of_band(galaxy.mask)
    if (
        sigma_map is not None and not sigma_map.all()
    ):  # a sigma of 0 is no measurement without error, but none
        sigma_map = np.where(sigma_map == 0, np.inf, sigma_map)
    # what is undefined is as what the caller masks: it is no sky, either
    for values in (image, sigma_map):
        if values is not None and values.dtype.kind == "f" and not (finite := np.isfinite(values)).all():
            mask = ~finite if mask is None else mask | ~finite
    return GalaxyInput(
        image,
        labels=of_band(galaxy.label_map),
        label=galaxy.label,
        mask=mask,
        sigma_map=sigma_map,
        psf=of_band(galaxy.psf),
        psf_kind=galaxy.psf_kind,
        gain=_gain_of_band(galaxy, band, flux_unit),
    )


def _gain_of_band(galaxy: Galaxy, band: int, flux_unit: str) -> float | None:
    """Electrons per flux unit of one band, as its header tells it, else as the unit does; None where neither does."""
    gain = float(galaxy.gain[band]) if isinstance(galaxy.gain, np.ndarray) else galaxy.gain
    return gain_of_unit(flux_unit) if gain is None or math.isnan(gain) else gain


def _measured_bands(galaxy: Galaxy, method: Method) -> list[Measured]:
    """Measure all that the settings name."""
    unit = method.header.flux_unit
    inputs = {name: input_of(galaxy, place, unit) for place, name in enumerate(method.header.bands)}
    if "field" in method.settings.quantities:  # alone: where images show fields no galaxy is measured
        return [field_row(inputs[name].image) for name in method.bands]
    if method.settings.band == ALL_BANDS:
        return [_measured({name: one}, name, method) for name, one in inputs.items()]
    return [_measured(inputs, str(method.settings.band), method)]


def _measured(inputs: Mapping[str, GalaxyInput], band: str, method: Method) -> Measured:
    """Measure the morphology of one band and the power of all; columns name a band where there are several."""
    settings, result = method.settings, Measured()
    if "morphology" in settings.quantities:
        measure = MORPHOLOGY_ENGINES[method.engine]
        result = measure(inputs[band], settings)
        _notice_empty(result, inputs[band])
        if method.computed:
            _compute_properties(result, inputs[band], band, method)
        add_fluxes(result, list(inputs.values()), settings, list(inputs), measure=measure)
        if "details" in settings.quantities:
            add_details(result, inputs, band, settings)
        if settings.corrections:
            add_corrections(result, inputs[band], settings)
    if "power" in settings.quantities:
        for name, galaxy in inputs.items():
            _add_power(result, galaxy.image, suffix=f"_{name}" if len(inputs) > 1 else "")
    if settings.uncertainties:
        add_uncertainties(result, inputs, band, settings)
    return result


def _notice_empty(result: Measured, galaxy: GalaxyInput) -> None:
    """Notice zeros that stand for nothing observed: a sky without scatter, a side without light or noise."""
    if result.values.get("sky_sigma") == 0:
        result.flags.append(FLAT_SKY.name)
        result.flag = max(result.flag, FLAT_SKY.gravity)
    image = galaxy.image
    if any(side.size and not side.any() for side in (image[0], image[-1], image[:, 0], image[:, -1])):
        result.flags.append(ZERO_BORDER.name)


def _compute_properties(result: Measured, galaxy: GalaxyInput, band: str, method: Method) -> None:
    """Evaluate the properties with a computation of their own; one that fails leaves the others as they are."""
    result.values.update({entry.name: np.nan for entry in method.computed})
    if result.flag == CATASTROPHIC:
        return
    stamp = _stamp_of(result, galaxy, band, method)
    for entry in method.computed:
        value = np.nan
        try:
            value = float(entry.compute(stamp)) if entry.compute is not None else np.nan
        except Exception as error:  # somebody's code: one galaxy must not stop the run
            result.flags.append(COMPUTATION_ERROR.name)
            result.message = f"{entry.name}: {type(error).__name__}: {error}"
        if np.isfinite(value):
            result.values[entry.name] = value
        else:
            result.flags.append(NO_VALUE.of(entry.name))


def _stamp_of(result: Measured, galaxy: GalaxyInput, band: str, method: Method) -> MeasuredStamp:
    """Give what a computation may know of a galaxy; the galaxy's pixels are found as the engines find them."""
    image = compiled_engine.above_sky(galaxy.image, method.settings)
    image = np.where(np.isfinite(image), image, np.nan)
    labels, label = map_of(replace(galaxy, image=image), method.settings)
    return MeasuredStamp(
        image=image,
        segmentation_map=labels == label,
        mask=ignored_pixels([replace(galaxy, labels=labels, label=label)]) | np.isnan(image),
        center_pix=(result.values["center_x_pix"], result.values["center_y_pix"]),
        values=MappingProxyType(result.values),
        band=band,
        header=method.header,
    )


def _add_power(result: Measured, stamp: NDArray[Any], *, suffix: str) -> None:
    """Add the power modes of one band; pixels that are not finite leave none."""
    finite = stamp.dtype.kind != "f" or bool(np.isfinite(stamp).all())
    if not finite and "not_finite_pixels" not in result.flags:
        result.flags.append("not_finite_pixels")
    for binning in BINNINGS:
        modes = {
            name: float(value[0]) for name, value in power_columns([stamp], binning, suffix=suffix).items()
        }
        result.values.update(modes)
        if finite and np.isnan(list(modes.values())).any():
            result.flags.append(NO_POWER.of(f"{binning}{suffix}"))


def _not_measured(galaxy: Galaxy, method: Method) -> Measured:
    """Make the row of a galaxy without pixels: all NaN, and why."""
    nothing = Galaxy(np.full((len(method.header.bands), 1, 1), np.nan))
    empty = _measured_bands(nothing, method)[0]
    return replace(
        empty,
        values=dict.fromkeys(empty.values, np.nan),
        flag=CATASTROPHIC,
        fit_flags=dict.fromkeys(empty.fit_flags, CATASTROPHIC),
        flags=[galaxy.reason],
        message=galaxy.message,
    )


def noted(measured: Measured, cutout: Cutout) -> Measured:
    """Bring positions to the whole image, and add what was noticed when the galaxy was cut out."""
    offsets = {"x": cutout.x_offset_pix, "y": cutout.y_offset_pix}
    for name in measured.values if any(offsets.values()) else ():
        found = POSITION_COLUMN.search(name)
        if found and not name.startswith(APART):
            measured.values[name] += offsets[found[1]]
    measured.flags.extend(cutout.noticed)
    return measured
