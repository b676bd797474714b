"""Declared quantities: what every column of a measurement table is called, means, and is made from."""
