"""Contact sheets: galaxies beside one another with their names, and the curves and pictures of a run."""
