"""Benchmarks: each module measures one thing and has `main(argv)`; figures are medians and ratios within one run."""
