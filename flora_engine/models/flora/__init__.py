"""Flora (docs/method.md, sections 6 and 7)."""
