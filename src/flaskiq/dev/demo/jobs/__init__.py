"""The Workers of the shop. They sleep and fail; nothing leaves this machine."""
