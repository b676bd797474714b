"""Family wgan: a Wasserstein GAN of whole cosmology fields (ETHZ CIL 2020)."""
