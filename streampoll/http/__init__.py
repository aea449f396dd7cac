"""HTTP: requests of a profile, sent over one client and one login a device, read as metrics and tables."""
