"""Convnets with skip connections."""
