"""Family stylegan: the generator of StyleGAN against the discriminator of StyleGAN2."""
