"""SKIRT images of IllustrisTNG galaxies in the layout ``skirt_images_sdss``, with their morphologies."""
