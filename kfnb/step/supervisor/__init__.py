"""The parent of all step processes of one user: it outlives drivers and leaves nothing behind."""
