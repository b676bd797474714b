"""Readers of galaxy images, one file a format, their table, and the one path by which each source becomes a store."""
