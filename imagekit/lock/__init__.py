"""What went into an image, in a file that another build can be held to."""
