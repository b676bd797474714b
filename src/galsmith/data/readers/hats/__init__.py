"""Reading HATS catalogs of images, in the layout of the MultimodalUniverse."""
