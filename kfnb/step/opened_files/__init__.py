"""Which files a kernel and its child processes use: a seccomp filter, and a listener outside."""
