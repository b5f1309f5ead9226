"""Tests of the machines. They need root."""
