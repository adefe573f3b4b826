"""What computed a score, or the features that it is made of."""

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

FEATURES = ("torch", "torch-fidelity")
"""Packages whose change may change features."""
PACKAGES = (*FEATURES, "numpy")


def versions() -> dict[str, str]:
    """Of Python and the packages that have a say in a score."""
    return {"python": platform.python_version(), **package_versions(PACKAGES)}


def package_versions(packages: Iterable[str]) -> dict[str, str]:
    """Of those packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
