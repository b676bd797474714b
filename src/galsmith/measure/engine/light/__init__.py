"""How a galaxy's light is spread: sums in ellipses, moments, radii, asymmetry, Gini, M20 and smoothness."""
