"""The page of scores: methods that predict galaxyness beside the paper's, drawn from a stored card."""
