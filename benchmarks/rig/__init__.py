"""What benchmarks share: roles and their CPU, cores, servers, deployments, peers' environments, reports, plots."""
