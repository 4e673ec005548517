"""Pages of the contribution: the path that leads to paying, and what follows."""
