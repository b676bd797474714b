"""What a card of these sizes would have seen, measured: known faults are put into the user's own reference set."""
