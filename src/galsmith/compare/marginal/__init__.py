"""One property at a time: Wasserstein-1 distances with joint bootstrap, floor and test, and their means."""
