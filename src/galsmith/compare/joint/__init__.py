"""All properties at once: distances between sets of points, and how their correlations differ."""
