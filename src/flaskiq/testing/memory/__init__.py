"""A broker and a result backend in the memory of a test: what lies in Redis otherwise."""
