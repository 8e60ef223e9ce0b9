"""One script per question; results in `results/`, what was tried in `LOG.md`."""
