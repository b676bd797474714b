"""The power spectrum of a galaxy: its modes, and the compiled sums over them."""
