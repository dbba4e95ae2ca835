"""Numbers of the abstract objects, and tables that note what changes of them."""
