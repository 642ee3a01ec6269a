"""The engine of Flora Studio: everything the program computes, with no Qt below this package."""

__version__ = "0.1.0"
