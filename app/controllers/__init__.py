"""Controllers join the parts of the window: each holds one concern and only the parts that it needs."""
