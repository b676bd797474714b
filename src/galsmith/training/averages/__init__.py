"""Averages of the weights over training: of one width as it goes, of other widths from those that were kept."""
