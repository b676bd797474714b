"""One line a family on when to choose it, apart from the families so that help is shown without loading torch."""

WHEN_TO_CHOOSE: dict[str, str] = {
    "pca_diffusion": "few cores: minutes to train, hundreds of galaxies a second; fine texture is drawn as noise",
    "diffusion": "arms, clumps and stars that must be seen, conditions, a GPU or hours of time",
    "vae": "a latent space and the paper's baseline: stable and fast, but too smooth",
    "alae": "a latent space with sharp images, as in the paper; a GPU and hours of time",
    "stylegan": "the paper's best generator, to compare with; a GPU and hours to train",
    "stylegan2": "as stylegan, without its droplet artifacts and a quarter faster to train",
}
