"""Family diffusion: a magnitude-preserving U-Net with EDM preconditioning."""
