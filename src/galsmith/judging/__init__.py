"""Judging images, whatever made them: stores, measurements, features, copies and the comparison of all of it."""
