"""Fashion-MNIST and other sets of idx files."""
