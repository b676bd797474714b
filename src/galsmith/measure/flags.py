"""The flags: what may be noticed about a galaxy, how grave each is, and what it means; all others read this table.

The gravity is statmorph's: 1 suspect, 2 bad, 4 nothing was measured; 0 is told but does not count. ``flag`` of a galaxy
is the greatest gravity among its flags, those of the Sérsic fits apart.
"""

from dataclasses import dataclass

SUSPECT, BAD, CATASTROPHIC = 1, 2, 4
GRAVITY_NAMES = {SUSPECT: "suspect", BAD: "bad", CATASTROPHIC: "catastrophic"}


@dataclass(frozen=True)
class Flag:
    """Something that may be noticed about a galaxy.

    Attributes
    ----------
    name : str
        What the column ``flags`` says; a part in angle brackets stands for a band, a column or a binning of power.
    gravity : int
        0 told only, 1 suspect, 2 bad, 4 nothing was measured.
    meaning : str
        In words.
    way_out : str
        What is to be done with the image, and which argument or setting changes it, in backticks; empty where nothing.
    """

    name: str
    gravity: int
    meaning: str
    way_out: str = ""

    def of(self, part: str) -> str:
        """Name the flag of one band, column or binning."""
        return f"{self.name.partition('<')[0]}{part}"


_SKY = "take the sky off first, or let `subtract_background=true` take off the level of the border"
_LARGER = "cut a larger image around the galaxy"
_NEIGHBORS = "neighbors or clumps draw the light away: ignore them with `mask`, or give a map with `segmap`"
_MASK = "look at `mask`, of which `mask_bits` says what is ignored; `mask=none` takes none from the files"
_FEW_PIXELS = (
    "pixels that are masked, exactly 0 or without a sigma are left out: look at `mask` and `sigma`; or take "
    "`segmentation=survey`, which does not smooth a small source away"
)
_NO_LAW = (
    "neighbors or clumps may not be the law's: ignore them with `mask`, or give a map with `segmap`; a bulge in a disk "
    "takes two laws, `double_sersic=true`"
)
_NOT_TOLD = (
    f"a source as small as the point spread wants `psf`; a law that runs off, a larger image; {_NO_LAW}"
)

# Noticed by the compiled kernels, which know a flag by its place: add one at the end of its group, and its name in
# `galsmith.measure.engine.flags`.
MORPHOLOGY_FLAGS = (
    Flag(
        "not_finite_pixels",
        0,
        "NaN or infinite pixels, in the image or its sigma map: masked for morphology; the power spectrum is NaN",
    ),
    Flag(
        "no_source",
        4,
        "nothing above the threshold (such as an image that is all zero, all equal or faint noise), or an empty map",
        "lower the threshold, `threshold_sigma=1`, or give a map with `segmap`",
    ),
    Flag(
        "source_below_smoothing",
        4,
        "a source was found but is smaller than the filter that smooths its outline",
        "smooth less, `smoothing_pix=3`, or take `segmentation=survey`, which does not smooth",
    ),
    Flag(
        "all_masked",
        4,
        "the mask, bad pixels or pixels that are not finite leave nothing of the galaxy",
        _MASK,
    ),
    Flag("nonpositive_flux", 4, "the galaxy's pixels add up to zero or less", _SKY),
    Flag("stamp_too_small", 4, "the stamp is less than 2 px wide", _LARGER),
    Flag(
        "source_at_edge",
        0,
        "the galaxy's segment touches the edge of the image",
        f"{_LARGER}; where another source is meant, `segmentation=survey` takes the central one",
    ),
    Flag(
        "centroid_out_of_range",
        2,
        "negative pixels push the centroid off the stamp; the stamp's middle is taken",
        _SKY,
    ),
    Flag("centroid_masked", 2, "the centroid lies on a masked pixel", _MASK),
    Flag("nonpositive_second_moment", 2, "negative pixels make a second moment negative", _SKY),
    Flag(
        "no_sky_box",
        2,
        "not even a square of 2 px is empty (or fewer than 64 px are background); nothing is taken off for the sky",
        f"`sky=annulus` takes the sky from all of the background; or {_LARGER}",
    ),
    Flag(
        "not_background_subtracted",
        2,
        "the sky's mean is farther from zero than its standard deviation",
        _SKY,
    ),
    Flag("petrosian_zero_flux", 2, "the mean flux within a trial radius is zero"),
    Flag(
        "petrosian_below_annulus",
        2,
        "the brightness falls to 0.2 of the mean within a pixel; 1 px is taken",
        "a star or a hot pixel looks so: ignore it with `mask`",
    ),
    Flag(
        "petrosian_beyond_stamp",
        2,
        "the brightness does not fall to 0.2 of the mean on the stamp; an elliptical radius beyond it is NaN",
        f"{_LARGER}; or {_SKY}",
    ),
    Flag("center_left_stamp", 1, "the search for the center tried to leave the stamp", _NEIGHBORS),
    Flag("center_zero_flux", 1, "the search for the center met an aperture without light"),
    Flag(
        "center_drifted",
        1,
        "the center moved over a quarter of a Petrosian radius from the centroid; searched again from the brightest pixel",
        _NEIGHBORS,
    ),
    Flag(
        "center_is_centroid",
        2,
        "the center drifted from the brightest pixel too; the centroid is taken",
        _NEIGHBORS,
    ),
    Flag("center_masked", 2, "the center lies on a masked pixel", _MASK),
    Flag("total_flux_zero", 2, "an aperture whose light is to be divided has none", _SKY),
    Flag(
        "total_flux_negative",
        2,
        "an aperture whose light is to be divided has less than none; the absolute value is taken",
        _SKY,
    ),
    Flag("light_radius_undefined", 2, "no radius holds the wanted part of the light", _SKY),
    Flag("gini_map_empty", 2, "no pixel is above the brightness at the Petrosian radius", _SKY),
    Flag(
        "gini_map_full",
        2,
        "every pixel is above the brightness at the Petrosian radius",
        f"{_LARGER}; or {_SKY}",
    ),
    Flag(
        "gini_map_disjoint",
        1,
        "several regions are above the brightness at the Petrosian radius; the one with the brightest pixel is taken",
        _NEIGHBORS,
    ),
    Flag("gini_undefined", 2, "too few pixels or no light for the Gini coefficient"),
    Flag("m20_undefined", 2, "too few pixels or no light for M20"),
    Flag("sn_undefined", 2, "too few pixels or no light for the signal to noise"),
    Flag("smoothness_undefined", 2, "too few pixels or no light between 0.25 and 1.5 Petrosian radii"),
    Flag("mid_zero_flux", 2, "the brightest clump has no light"),
    Flag(
        "mid_map_is_gini_map",
        0,
        "the brightness never falls to 0.2 of the clump's mean within the segment; the Gini map is taken",
    ),
    Flag("mid_peak_added", 2, "smoothing lost the brightest pixel; it was added"),
    Flag("mid_single_clump", 0, "no threshold parts the galaxy; multimode is 0"),
    Flag(
        "deviation_undefined", 2, "too few pixels or no light for the distance of the peak from the centroid"
    ),
    Flag("maps_differ", 1, "Gini map and MID map share under a quarter of the larger", _NEIGHBORS),
    Flag("maps_empty", 2, "neither the Gini map nor the MID map has a pixel"),
    Flag(
        "shape_map_from_sky_box",
        0,
        "too few pixels about the galaxy; the sky box sets the threshold of the outline",
        _LARGER,
    ),
    Flag(
        "shape_map_undefined",
        2,
        "there is no sky for the threshold of the outline; the segment is taken",
        _LARGER,
    ),
    Flag("shape_peak_added", 2, "the brightest pixel was below the threshold of the outline; it was added"),
    Flag("r_max_zero", 2, "the outline is one pixel"),
    Flag(
        "label_missing",
        4,
        "the map lacks the label, or has several and none at the center",
        "name a label of the map with `labels`",
    ),
    Flag(
        "value_undefined",
        2,
        "a quantity came out infinite or undefined though nothing else was noticed, as with fluxes near 1e308",
    ),
    Flag(
        "noise_from_sky_alone",
        0,
        "neither a map of sigmas nor the gain is known: the sky's scatter weighs all pixels; give `gain` or a map",
    ),
    Flag(
        "noise_unknown",
        1,
        "nothing is known of the noise, as the sky has no scatter either: all pixels weigh alike, and signal to noise, "
        "chi-squared and uncertainties mean nothing; give `gain` or a map of sigmas",
    ),
    Flag("sigma_map_negative", 1, "the map of sigmas has negative values, whose pixels are masked"),
    Flag(
        "sigma_map_disagrees",
        2,
        "the map of sigmas differs from the scatter of the sky by more than a factor of ten: another unit, a variance, "
        "or a sky that is none",
    ),
    Flag(
        "sigma_map_is_inverse_variance",
        2,
        "the map of sigmas holds inverse variances, as the scatter of the sky tells; give it as such (`ivar`)",
    ),
    Flag(
        "not_central",
        1,
        "the source that was measured, the largest, is not the one at the middle of the image: a neighbor, most likely",
        "`segmentation=survey` takes the central source",
    ),
)
SERSIC_FLAGS = (
    Flag(
        "sersic_radius_below_annulus",
        2,
        "the half-light radius that the fit starts from is below half a pixel",
        "a star or a hot pixel looks so: ignore it with `mask`; no fit resolves less than a pixel",
    ),
    Flag(
        "sersic_nonpositive_amplitude",
        2,
        "the light at the half-light radius is zero or less",
        _SKY,
    ),
    Flag("sersic_not_enough_pixels", 2, "fewer pixels than parameters of the fit", _FEW_PIXELS),
    Flag("sersic_not_converged", 2, "the fit ran out of steps or has no minimum", _NO_LAW),
    Flag(
        "sersic_at_bound",
        1,
        "the index stands at its bound, 0.1 or 12 (0.01 with statmorph's steps), or radius or ellipticity at theirs: "
        "the pixels do not tell",
        _NOT_TOLD,
    ),
    Flag(
        "sersic_unphysical",
        2,
        "the law found is not what was seen: an index above 8, or an effective radius larger than the side of the stamp, "
        "so that most of its light is extrapolated",
        "a lower threshold, `threshold_sigma=1`, or a map of yours, `segmap`, brings more of the galaxy on the stamp; or "
        + _SKY,
    ),
    Flag(
        "sersic_uncertainty_undefined",
        0,
        "the uncertainty of a parameter is not known: it stands at a bound, or the pixels do not tell it, as the "
        "orientation of a round law",
        "a round law has no orientation; at a bound, do as the flag sersic_at_bound says",
    ),
)
DOUBLE_SERSIC_FLAGS = (
    Flag("double_sersic_not_enough_pixels", 2, "fewer pixels than parameters of the fit", _FEW_PIXELS),
    Flag(
        "double_sersic_not_converged",
        2,
        "the fit ran out of steps or has no minimum",
        "one law may be enough: `double_sersic=false`; or ignore neighbors with `mask`",
    ),
    Flag(
        "double_sersic_at_bound",
        1,
        "an index stands at its bound, 0.1 or 12 (0.01 with statmorph's steps)",
        "one law may be enough: `double_sersic=false`; or ignore neighbors with `mask`",
    ),
)

# Noticed by Python.
NO_POWER = Flag(
    "no_power_<binning>",
    0,
    "some power modes are undefined: no power at all, or (rings) no such ring on a small grid",
)
NO_FLUX = Flag(
    "nonpositive_flux_<band>",
    0,
    "a color's flux of this band is zero or less: the flux stands, its colors are NaN",
)
NO_APERTURE = Flag(
    "no_color_aperture_<band>",
    0,
    "there is no Petrosian radius or center from which this band's flux could be summed",
)
NO_DETAIL = Flag(
    "no_detail_<which>",
    0,
    "a grid, coherence, offset, gradient or winding could not be measured: too little light or too small an image, a band "
    "whose waves are below its noise, pixels that are not finite, or no center",
    f"{_LARGER}, of pixels that are finite; or leave the details out by the setting quantities",
)
NO_VALUE = Flag(
    "no_<column>",
    0,
    "the value could not be given: by statmorph, or by the computation of a property that has one of its own",
)
FLAT_SKY = Flag(
    "sky_without_scatter",
    1,
    "the sky has no scatter at all: its box lies where nothing was observed, whose pixels want a mask, or the image has no "
    "noise",
)
ZERO_BORDER = Flag(
    "zero_border",
    0,
    "a whole side of the image is exactly zero, as where nothing was observed; mask it, or make it NaN",
)
UNCERTAINTY_UNDEFINED = Flag(
    "uncertainty_undefined",
    0,
    "too few of the repetitions gave some quantity, or nothing says how noisy the pixels are: its uncertainty is NaN",
    "give the noise of every pixel with `sigma`, or more sky",
)
CORRECTION_UNDEFINED = Flag(
    "correction_undefined",
    0,
    "corrections need the width of the point spread, signal to noise, and all that they are made from: they are NaN",
    "give the point spread function with `psf`, or its width with `psf_fwhm_pix=3`, and the noise with `sigma` or `gain`",
)
CORRECTION_OUTSIDE_GRID = Flag(
    "correction_outside_grid",
    0,
    "noise, blur or shape are none of those that corrections were made for: they are NaN",
    "a half-light radius of 1 to 10 widths of the point spread and a signal to noise of 5 and more are wanted; in noise, "
    "`segmentation=survey` finds more of the galaxy",
)
ONE_LEVEL = Flag(
    "one_gray_level",
    CATASTROPHIC,
    "all pixels of the field have one gray level, such as an image that is all black: nothing can be measured",
)
BEYOND_LEVELS = Flag(
    "beyond_gray_levels",
    SUSPECT,
    "pixels lie below 0 or above 255 and were cut off there, as an image file of 8 bits has it",
    "bring the fields to gray levels from 0 to 255, for instance by dividing those of 16 bits by 257",
)
FEW_SOURCES = Flag(
    "few_sources", 0, "fewer than two sources stand out of the field: they have no scatter, and no pairs"
)
COMPUTATION_ERROR = Flag("computation_error", 0, "a property's own computation failed; `message` says how")
ENGINE_ERROR = Flag("engine_error", CATASTROPHIC, "statmorph failed; `message` says how")
_OTHERS = (
    NO_POWER,
    NO_FLUX,
    NO_APERTURE,
    NO_DETAIL,
    NO_VALUE,
    FLAT_SKY,
    ZERO_BORDER,
    CORRECTION_UNDEFINED,
    CORRECTION_OUTSIDE_GRID,
    ONE_LEVEL,
    BEYOND_LEVELS,
    FEW_SOURCES,
    COMPUTATION_ERROR,
    ENGINE_ERROR,
    *(
        Flag(
            f"{fit}{name}",
            gravity,
            f"statmorph calls {what} {name} and does not say more",
            "measure with `engine=galsmith`, which says why",
        )
        for fit, what in (
            ("", "the measurement"),
            ("sersic_", "the fit"),
            ("double_sersic_", "the double fit"),
        )
        for gravity, name in GRAVITY_NAMES.items()
    ),
    Flag(
        "unreadable_file",
        CATASTROPHIC,
        "the file was damaged after its header had been read",
        "fetch or write the file again",
    ),
    Flag(
        "position_off_image",
        CATASTROPHIC,
        "the catalog's position is not on the image",
        "say with `columns` which columns are positions, and count pixels from 0",
    ),
    Flag(
        "position_not_finite",
        CATASTROPHIC,
        "the catalog has no position or no size of a cutout there",
        "say with `columns` which columns are positions, or leave the row out",
    ),
    Flag(
        "cutout_beyond_image",
        0,
        "the cutout reaches over the edge of the image; pixels beyond it are masked",
        "cut out less with `cutout_pix`",
    ),
)

FLAGS: dict[str, Flag] = {
    flag.name: flag for flag in (*MORPHOLOGY_FLAGS, *SERSIC_FLAGS, *DOUBLE_SERSIC_FLAGS, *_OTHERS)
}


def flag_named(name: str) -> Flag | None:
    """Find what a name in the column ``flags`` means; None for one that no flag has."""
    if name in FLAGS:
        return FLAGS[name]
    parts = (flag for flag in FLAGS.values() if "<" in flag.name and name.startswith(flag.of("")))
    return max(parts, key=lambda flag: len(flag.name), default=None)


def flags_markdown() -> str:
    """Render the table as Markdown, for ``docs/properties.md``."""
    rows = [
        f"| `{flag.name}` | {flag.gravity} | {flag.meaning} | {flag.way_out or '–'} |"
        for flag in FLAGS.values()
    ]
    return "\n".join(["| name in `flags` | gravity | meaning | way out |", "|---|---|---|---|", *rows])
