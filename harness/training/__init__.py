"""Training: what is fitted to data of the suites. torch is imported only here and in plugins."""
