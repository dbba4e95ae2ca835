"""What a namespace lacks to run pipelines, and the commands that grant it."""
