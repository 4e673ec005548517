"""Forms of this room: what residents and editors type in euros is stored in cents."""
