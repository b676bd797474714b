"""Numerical methods with the steps and the rounding of NumPy, SciPy and MINPACK."""
