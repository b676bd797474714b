"""What more than one model family is built from."""
