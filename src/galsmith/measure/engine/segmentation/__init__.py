"""Which pixels are the galaxy's: thresholds, connected regions and what is chosen among them."""
