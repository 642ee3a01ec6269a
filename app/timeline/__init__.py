"""Lanes under the player: what happens when, as people say and as a model finds."""
