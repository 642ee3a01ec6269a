"""Recipes: one use case per file, for the command line, the worker and the window."""
