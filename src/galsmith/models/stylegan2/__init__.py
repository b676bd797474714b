"""Family stylegan2: modulated convolutions and image skips against the discriminator of StyleGAN2."""
