"""The data-generating process: hidden graphs and paths in them, lines of tokens about pairs of
nodes, and small graphs that exemplars join in the context."""
