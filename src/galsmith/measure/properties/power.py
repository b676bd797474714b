"""The declared modes of the power spectrum, in two binnings."""

from galsmith.measure.properties.property import Property

N_POWER_MODES = 15


def _power_modes(binning: str, meaning: str, *, headline: bool) -> tuple[Property, ...]:
    """Declare the modes of one binning."""
    return tuple(
        Property(
            f"power_{binning}_{mode:02d}",
            rf"$\log_{{10}} P_{{{mode}}}$",
            "dex",
            f"power_{binning}",
            f"log10 of the mean amplitude |F|/N^2 over {meaning.format(mode=mode)} "
            "(Holzschuh et al. 2022, section 4.1.2)",
            headline=headline,
        )
        for mode in range(N_POWER_MODES)
    )


POWER_PROPERTIES = (
    *_power_modes("wavelength", "bin {mode} of spatial frequency, shared by all image sizes", headline=True),
    *_power_modes(
        "rings", "the ring of integer radius {mode} of the image's own Fourier grid", headline=False
    ),
)
