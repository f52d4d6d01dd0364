"""The only package that names a Redis key or runs a script. See docs/redis.md."""
