"""Runs: append-only folders of trainings, and what is kept in them."""
