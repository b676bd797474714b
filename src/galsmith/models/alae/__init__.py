"""Family alae: an adversarial latent autoencoder, grown level by level."""
