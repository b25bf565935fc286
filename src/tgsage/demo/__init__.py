"""The embedded experiment: a simulated macaque and its rendered objects, as plugins that nothing imports."""
