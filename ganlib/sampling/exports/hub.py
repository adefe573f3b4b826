"""Exports on a Hugging Face hub: that of HF_ENDPOINT, by the token of HF_TOKEN."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from ganlib.common.errors import UserError, one_line
from ganlib.common.io.console import say, stderr_console

INSTALL = "pip install ganlib[hub]"
NAME = re.compile(r"([A-Za-z0-9][\w.-]*/[\w.-]*\w)(?:@([^@\s]+))?", re.ASCII)
"""Of a repository, with a revision or without."""


def download(name: str, revision: str | None, files: Sequence[str]) -> tuple[Path, str]:
    """The folder of these files of the repository "user/name" at a revision (by default its newest
    commit), as the hub's own cache keeps them, and "user/name@COMMIT", which is said too.

    UserError if there is no such thing, or the hub cannot be reached and the cache has it not.
    """
    place = name if revision is None else f"{name}@{revision}"
    here = f"{place} is no file or folder here"
    with _sentences(f"{here}, and", place, f"{here}; to ask a hub for it: {INSTALL}") as client:
        folder = Path(client.snapshot_download(name, revision=revision, allow_patterns=[*files]))
    found = f"{name}@{folder.name}"
    if found != place:
        say(stderr_console(), f"{place} is {found}.")
    return folder, found


class Uploaded(NamedTuple):
    """name: what ganlib.load finds it by, "user/name@COMMIT". address: of its page."""

    name: str
    address: str


def check(name: str) -> None:
    """UserError for a name that no repository can have, or without the packages to write one."""
    matched = NAME.fullmatch(name)
    if matched is None or matched[2] is not None:
        raise UserError(f"--to is '{name}'; give USER/NAME, as a hub calls its repositories.")
    with _sentences(name, name, f"A hub needs huggingface_hub: {INSTALL}"):
        pass


def upload(name: str, files: Sequence[Path], private: bool) -> Uploaded:
    """Write files in one commit into the repository "user/name", made if missing. private: whether
    nobody else sees one that is made. UserError if that is refused.
    """
    with _sentences(f"{name}:", name, INSTALL) as client:
        api = client.HfApi(library_name="ganlib")
        address = api.create_repo(name, private=private, exist_ok=True)
        added = [client.CommitOperationAdd(file.name, file) for file in files]
        done = api.create_commit(name, added, commit_message="Written by ganlib")
    return Uploaded(f"{name}@{done.oid}", str(address))


@contextmanager
def _sentences(begins: str, place: str, missing: str) -> Iterator[Any]:
    """The client, whose errors inside become a UserError that so begins; `missing` where it is not
    installed.
    """
    try:
        client: Any = import_module("huggingface_hub")
        constants: Any = import_module("huggingface_hub.constants")
        errors: Any = import_module("huggingface_hub.errors")
        bars: Any = import_module("huggingface_hub.utils")
    except ImportError:
        raise UserError(missing) from None
    quiet = not sys.stderr.isatty() and not bars.are_progress_bars_disabled()
    if quiet:
        bars.disable_progress_bars()
    try:
        yield client
    except UserError:
        raise
    except Exception as error:  # of the client's own, of HTTP, of sockets, of what was sent
        address = constants.ENDPOINT
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        status = getattr(getattr(cause, "response", None), "status_code", None)
        if isinstance(error, errors.RevisionNotFoundError):
            words = f"has no revision '{place.partition('@')[2]}'"
        elif isinstance(error, errors.GatedRepoError) or status == 403:
            words = "is closed to you: ask for access there, or log in as who has it"
        elif isinstance(error, errors.RepositoryNotFoundError):
            words = "is not there, or is private: see the name, or log in (HF_TOKEN)"
        elif status == 401:
            words = "is refused to your token: see HF_TOKEN, or run `hf auth login`"
        else:
            words = f"cannot be reached ({type(cause).__name__}: {one_line(cause)})"
        raise UserError(f"{begins} at {address} it {words}.") from error
    finally:
        if quiet:
            bars.enable_progress_bars()
