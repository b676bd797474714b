"""Whether a generator gives back its training images."""
