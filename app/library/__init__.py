"""Recordings to choose from: opened files and folders, and the table of the project."""
