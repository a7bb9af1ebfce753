"""The conformance kit: what a world-model plugin must keep, checked from outside through the service alone."""
