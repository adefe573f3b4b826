"""One file per data set: load(root, split, size) -> DataSet; a docstring's first line describes it.

A file may also have stream(root, split, size) -> Stream, for what need not fit in memory, whose
load is collected(stream), and lazy(root, split, crop) -> DataSet, for square crops out of images
that are read when asked for; one of sequences has past(split, size, n, m) -> DataSet, pairs of n
past frames and the next m.
ASPECT, if it is assigned, is how many times wider than high the images are: size is then the
height. FILES, if it is assigned, names the files and folders in root that are read: what is made of
them is kept, and shared by the processes of a machine. LICENSE, if it is assigned, is what the card
of a model that was trained on them says. Files whose names start with _ are helpers.
"""
