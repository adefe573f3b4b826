"""own: what the data set has itself, which is meant where nothing is said"""

from ganlib.common.query import OWN, Source


def make(text: str) -> Source:
    """The source that every data set has, if it has one."""
    return OWN
