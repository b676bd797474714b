"""What the eye sees and no mean knows: bands against each other, patterns of the pixel grid, the winding of arms."""
