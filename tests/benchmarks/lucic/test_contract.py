"""What every algorithm promises, the study's methods promise too."""

import pytest

from ganlib.contract.test_contract import *  # noqa: F403

NAMES = "mm ns lsgan wgan wgan_gp dragan began vae".split()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("algorithm", [f"lucic_{name}" for name in NAMES]),
]
