"""The processes that work for the server: what they are called for, and what they send to pages."""
