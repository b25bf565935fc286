"""BrainIO packages."""
