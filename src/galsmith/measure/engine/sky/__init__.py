"""The level and the noise of the sky around a galaxy."""
