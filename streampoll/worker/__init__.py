"""Worker: forked processes and the one consume loop. It knows no handler by name."""
