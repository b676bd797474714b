"""Fields of many sources: what is measured of each as a whole."""
