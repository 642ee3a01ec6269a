"""Labels for recordings from a trained bundle, without torch."""
