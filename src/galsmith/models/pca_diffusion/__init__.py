"""Family pca_diffusion: diffusion of the principal components of stretched images."""
