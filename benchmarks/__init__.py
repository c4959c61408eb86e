"""How fast Regsight is, next to named peers, in one run on one machine: `make bench`."""
