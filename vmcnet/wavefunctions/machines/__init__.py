"""Restricted Boltzmann machines on spins: tables for local updates, on the host and on a device."""
