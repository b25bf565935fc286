"""ImageNet at 64x64 pixels or less."""
