"""Training of the skeleton encoder."""
