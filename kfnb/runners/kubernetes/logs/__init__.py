"""What an attempt's pods report, laid down in its folder completely and without duplicates."""
