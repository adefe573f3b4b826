"""Exports on a Hugging Face hub: that of HF_ENDPOINT, by the token of HF_TOKEN."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from ganlib.common.errors import UserError, one_line
from ganlib.common.io.console import say, stderr_console

INSTALL = "pip install ganlib[hub]"


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


def upload(folder: Path, name: str, private: bool) -> tuple[str, str]:
    """Write a folder's files into the repository "user/name", made if missing: the address and the
    new commit. private: whether nobody else sees one that is made. UserError if that is refused.
    """
    with _sentences(f"{name}:", name, f"A hub needs huggingface_hub: {INSTALL}") as client:
        api = client.HfApi(library_name="ganlib")
        address = api.create_repo(name, private=private, exist_ok=True)
        done = api.upload_folder(repo_id=name, folder_path=folder, commit_message="ganlib export")
    return str(address), str(done.oid)


@contextmanager
def _sentences(begins: str, place: str, missing: str) -> Iterator[Any]:
    """The client, whose errors inside become a UserError that so begins; `missing` where it is not
    installed.
    """
    try:
        client: Any = import_module("huggingface_hub")
        errors: Any = import_module("huggingface_hub.errors")
    except ImportError:
        raise UserError(missing) from None
    try:
        yield client
    except UserError:
        raise
    except Exception as error:  # of the client's own, of HTTP, of sockets, of what was sent
        address = client.constants.ENDPOINT
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(error, errors.RevisionNotFoundError):
            words = f"has no revision '{place.partition('@')[2]}'"
        elif isinstance(error, errors.GatedRepoError) or status == 403:
            words = "is closed to you: ask there for access, or let HF_TOKEN hold another token"
        elif isinstance(error, errors.RepositoryNotFoundError) or status == 401:
            words = "is not there, or is private: see the name, or let HF_TOKEN hold a valid token"
        else:
            words = f"cannot be had ({type(error).__name__}: {one_line(error)})"
        raise UserError(f"{begins} at {address} it {words}.") from error
