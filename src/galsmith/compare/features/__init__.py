"""Two sets in the features of a network: Fréchet and kernel distance, precision, recall, density, coverage."""
