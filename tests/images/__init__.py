"""Tests of images that were built: `make images-test`; `make test` leaves them out."""
