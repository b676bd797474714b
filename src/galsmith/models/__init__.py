"""The model families: how galaxies are learned and drawn, one folder a family."""
