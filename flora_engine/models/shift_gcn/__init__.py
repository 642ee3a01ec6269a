"""Shift-GCN (docs/method.md, section 4)."""
