"""What happens around an update, one file each. A file with make(settings) -> Extension can be
asked for by name.
"""
