"""The jobs of the shop."""
