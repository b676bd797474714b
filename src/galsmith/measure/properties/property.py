"""What is said of one measured quantity: the record that columns, axes and documents are made from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Property:
    """One quantity that is measured on every galaxy.

    Attributes
    ----------
    name : str
        Its column, with the unit as suffix where it has one.
    symbol : str
        What a figure's axis says, in matplotlib's mathematical text.
    unit : str
        An astropy unit, ``"dex"``, ``"flux"`` for the flux unit of the image set, or nothing.
    group : str
        ``morphology``, ``size``, ``position``, ``photometry``, ``sersic``, ``double_sersic``, ``sky``,
        ``color``, ``power_wavelength`` or ``power_rings``.
    definition : str
        One sentence with its source.
    is_circular : bool
        Whether it is an angle that repeats; see `period`.
    headline : bool
        Whether it counts in the headline distance (Holzschuh et al. 2022, section 4.1).
    period : float or None
        The period of a circular quantity, in its unit.
    """

    name: str
    symbol: str
    unit: str
    group: str
    definition: str
    is_circular: bool = False
    headline: bool = False
    period: float | None = None
