"""Family dcgan: a small convolutional GAN of whole cosmology fields, a baseline of ETHZ CIL 2020."""
