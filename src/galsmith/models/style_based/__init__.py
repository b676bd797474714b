"""What style-based generators share: their settings, mapping, discriminator, drawing and adversarial steps."""
