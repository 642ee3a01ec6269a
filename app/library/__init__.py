"""Recordings to choose from: opened files and folders, and the project's table."""
