"""Reading galaxies from files or simulating them: sources, the store, splits, pixel transforms."""
