"""statmorph as the oracle of the compiled engine: the same galaxies, measured slowly."""
