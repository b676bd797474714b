"""Family relay_diffusion: dense layers draw a galaxy's coarse shape from noise, convolutions go on to its pixels."""
