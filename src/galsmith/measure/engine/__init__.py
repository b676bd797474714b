"""The compiled measurement engine: from the pixels of one galaxy to all its quantities, without Python in between."""
