"""The Sérsic law and its fits: model, derivatives, point spread, minimization."""
