"""Heads: ways to name an action from encoder features and class texts; one file per head."""
