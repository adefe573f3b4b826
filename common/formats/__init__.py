"""What images lie in on a disk, and reading it: folders, files, videos, HDF5, LMDB."""
