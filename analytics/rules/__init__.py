"""Rules as data: one file each in `pack/`, or in a folder of the user's own."""
