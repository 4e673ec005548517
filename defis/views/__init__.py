"""Public screens of this room that are not pages: the form of the holders."""
