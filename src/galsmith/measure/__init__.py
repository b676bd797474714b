"""Room: measure."""
