"""Family vae: a variational autoencoder with a residual encoder and a small convolutional decoder."""
