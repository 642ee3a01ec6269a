"""Dialogs over the main window: forms for longer jobs, and the list of commands."""
