"""What several algorithms share: data, losses, layers, networks. In Python it is ganlib.common."""

if __name__ == "common":  # two modules of one file would hold two classes of one name
    raise ImportError("Import ganlib.common: 'common' is only the folder that it lies in.")
