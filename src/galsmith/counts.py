"""Numbers with their nouns: "1 galaxy", "2,000 galaxies"."""


def counted(number: float, nouns: str) -> str:
    """Write how many there are of something.

    Parameters
    ----------
    number : float
        How many, whole.
    nouns : str
        Their name in the plural, such as ``"galaxies"``; words after the first stay, as in ``"images seen"``.
    """
    name, space, more = nouns.partition(" ")
    return f"{number:,.0f} {_singular(name) if number == 1 else name}{space}{more}"


def _singular(nouns: str) -> str:
    """Name one of them."""
    return f"{nouns[:-3]}y" if nouns.endswith("ies") else nouns.removesuffix("s")
