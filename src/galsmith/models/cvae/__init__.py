"""Family cvae: a convolutional variational autoencoder of whole cosmology fields, a baseline of ETHZ CIL 2020."""
