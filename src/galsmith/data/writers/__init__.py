"""Formats that a store is written to for others."""
