"""Configuration: text in, checked values out."""
