"""Benchmarks: each module with a `main` measures one thing; figures are medians and ratios within one run."""
