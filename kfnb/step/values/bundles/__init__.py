"""Values in files: those that share mutable objects are saved, and loaded, as one bundle."""
