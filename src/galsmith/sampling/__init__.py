"""Seeds to galaxies: draws any number of images from a snapshot, one for each seed."""

from galsmith.sampling.sample import sample

__all__ = ["sample"]
