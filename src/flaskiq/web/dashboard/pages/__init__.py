"""The pages, one file each; every one adds its routes to the blueprint."""
