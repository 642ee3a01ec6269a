"""The window of Flora Studio (Qt). Nothing below imports torch; what has to be computed is in `flora_engine`."""
