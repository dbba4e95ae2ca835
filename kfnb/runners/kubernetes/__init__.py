"""The target ``kubernetes``: one Job for each attempt, values in a store that pods and laptop share."""
