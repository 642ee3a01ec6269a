"""The user's own actions and their ranking."""
