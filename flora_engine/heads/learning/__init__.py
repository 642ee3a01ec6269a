"""Training that several heads share."""
