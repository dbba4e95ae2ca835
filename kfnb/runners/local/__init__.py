"""The target ``local``: each attempt is a process of this machine."""
