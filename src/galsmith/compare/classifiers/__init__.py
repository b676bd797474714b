"""Classifier two-sample tests: whether generated galaxies can be told from real ones, and by what."""
