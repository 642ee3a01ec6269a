"""A project: a folder of recordings, classes, splits and labels, with undo."""
