"""Ways to run the layers of Shift-GCN faster than plain torch."""
