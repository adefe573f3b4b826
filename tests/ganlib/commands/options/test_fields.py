"""Options of settings whose types a method brings itself."""

from enum import Enum
from typing import Annotated, Any

import pytest
import torch
from pydantic import BeforeValidator, ConfigDict, Field

from ganlib.commands.options.fields import options
from ganlib.config import AlgorithmConfig


class Colour(Enum):
    RED = "red"


def _dtype(value: Any) -> Any:
    return getattr(torch, value) if isinstance(value, str) else value


class Config(AlgorithmConfig):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    dtype: Annotated[torch.dtype, BeforeValidator(_dtype)] = torch.float32
    """Of the codes."""
    colour: Colour = Colour.RED
    codes: int = Field(3, gt=2, alias="n_codes")


@pytest.mark.filterwarnings("error")
def test_a_type_that_no_schema_has_words_for_is_an_option_all_the_same() -> None:
    found = {option.name: option for option in options(Config)}
    assert (found["dtype"].metavar, found["colour"].metavar) == ("VALUE", "VALUE")
    assert found["dtype"].help == "Of the codes. [default torch.float32]"
    assert (found["codes"].metavar, found["codes"].help) == ("N", "[more than 2; default 3]")
