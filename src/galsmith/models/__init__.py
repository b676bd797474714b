"""Generative models, one folder a family, and the protocols that the other rooms know them by."""
