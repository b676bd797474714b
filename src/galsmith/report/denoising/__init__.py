"""The page of a study of denoising, drawn from a stored card."""
