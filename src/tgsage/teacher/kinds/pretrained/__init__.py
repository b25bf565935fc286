"""A network of timm or torchvision."""
