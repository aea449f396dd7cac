"""What so many devices need: a model over measured constants, and a simulation that checks what it says of waiting."""
