"""Training in the window: what a configuration trains."""
