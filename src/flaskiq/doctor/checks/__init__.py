"""What the doctor looks at: one file per check, each readable alone."""
