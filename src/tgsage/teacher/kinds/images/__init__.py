"""Controls made of images alone."""
