"""The figure of one galaxy: its images, maps, ellipses and numbers."""
