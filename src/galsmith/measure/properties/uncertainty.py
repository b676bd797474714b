"""The declared uncertainties: what a column ``<name>_sigma`` holds, made from the declared quantity itself."""

from dataclasses import replace

from galsmith.measure.properties.property import Property

_SUFFIXES = ("_pix", "_rad", "_mag")
_NOT_RESAMPLED = ("sersic", "double_sersic", "sersic_uncertainty", "corrected", "field")
# Their scatter is not that of a linear function of the noise: docs/how-to/uncertainties.md has their pulls.
NOT_LINEAR = {
    "asymmetry": "a sum of absolute values",
    "rms_asymmetry_squared": "a sum of squares",
    "outer_asymmetry": "a sum of absolute values",
    "shape_asymmetry": "of an outline above a threshold",
    "smoothness": "of positive residuals alone",
    "multimode": "of pixels above a threshold, 0 or more",
    "intensity": "of the brightest clumps, 0 or more",
    "deviation": "of the brightest pixel",
    "r_max_pix": "of an outline above a threshold",
    "r_max_ellip_pix": "of an outline above a threshold",
    "center_x_pix": "of a search that stops",
    "center_y_pix": "of a search that stops",
    "sky_sigma": "of an image that is calm where it is flat",
    "winding_quality": "the largest of many shares",
    "coherence": "of products of the noise of two bands",
}


def why_not_linear(name: str) -> str:
    """Say why a quantity's sigma is approximate, of columns of bands by their first word; empty where it is not."""
    return NOT_LINEAR.get(name) or NOT_LINEAR.get(name.partition("_")[0], "")


def uncertainty_column(name: str) -> str:
    """Name the column of a quantity's standard deviation: ``gini_sigma``, ``r_half_sigma_pix``."""
    for suffix in _SUFFIXES:
        if name.endswith(suffix):
            return f"{name.removesuffix(suffix)}_sigma{suffix}"
    return f"{name}_sigma"


def quantity_of_uncertainty(column: str) -> str | None:
    """Name the quantity whose standard deviation a column holds; None where it holds none."""
    for suffix in (*_SUFFIXES, ""):
        stem = column.removesuffix(suffix)
        if stem.endswith("_sigma") and column.endswith(suffix):
            return stem.removesuffix("_sigma") + suffix
    return None


def uncertainty_of(entry: Property, column: str) -> Property:
    """Declare the standard deviation of a quantity."""
    mark = why_not_linear(entry.name)
    said = f"; approximate, since it is {mark}" if mark else ""
    definition = entry.definition.rstrip(".")
    return replace(
        entry,
        name=column,
        symbol=rf"$\sigma$({entry.symbol})",
        definition=f"Standard deviation by noise{said}, of: {definition}",
        is_circular=False,
        headline=False,
        is_compared=False,
        period=None,
        compute=None,
        statmorph=None,
    )


def is_resampled_group(group: str) -> bool:
    """Whether a group's quantities get their standard deviation by measuring again; fits tell their own, fields none."""
    return group not in _NOT_RESAMPLED
