"""The target ``kubernetes``: one Job for each attempt, values in a store that all pods share."""
