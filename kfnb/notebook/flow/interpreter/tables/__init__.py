"""What is known of libraries and magics, which the interpreter does not go through."""
