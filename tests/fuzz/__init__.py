"""Thousands of damaged inputs: `make fuzz`. Not part of `make test`: see the Makefile."""
