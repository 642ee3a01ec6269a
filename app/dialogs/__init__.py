"""Dialogs over the main window: forms that start long jobs, and the list of commands."""
