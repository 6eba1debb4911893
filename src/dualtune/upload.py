"""Uploading a folder to the Hugging Face hub, with errors that say what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from dualtune.errors import BadInput, DualtuneError

RepoKind = Literal["dataset", "model"]

_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_NAMES: dict[RepoKind, str] = {"dataset": "data set", "model": "model"}
_COMMITS: dict[RepoKind, str] = {
    "dataset": "Export of dual instructions by dualtune",
    "model": "Model tuned by dualtune",
}
_LOG_IN = "Log in with hf auth login, or set HF_TOKEN to a token that may write"


def check_push(repo: str, *, kind: RepoKind) -> None:
    """Find out before the work what would stop its upload.

    Args:
        repo: Id on the hub.
        kind: What it is the id of.

    Raises:
        BadInput: If it is no ``owner/name``, there is no token, or the hub is switched off.
    """
    from huggingface_hub import constants, get_token

    if not _ID.fullmatch(repo) or len(repo) > 96:
        raise BadInput(f"--push: {repo!r} is no id of a {_NAMES[kind]}: give owner/name.")
    if constants.HF_HUB_OFFLINE:
        raise BadInput("--push: HF_HUB_OFFLINE is set, so nothing can be uploaded. Unset it.")
    if get_token() is None:
        raise BadInput(f"--push {repo}: you are not logged in to the hub. {_LOG_IN}.")


def push_folder(folder: Path, repo: str, *, kind: RepoKind, private: bool) -> str:
    """Upload a folder, to a repository that is made where it is not there.

    Of what stands there already, files of other names stay.

    Args:
        folder: A complete export, or the folder of a model.
        repo: Id of the data set or model.
        kind: Which of them it is.
        private: Make it private where it is new.

    Returns:
        Its address.

    Raises:
        DualtuneError: If the hub cannot be reached or refuses.
    """
    from huggingface_hub import HfApi, constants, errors

    # That of the HTTP client, of which the hub's library has changed several times.
    http_error: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]
    api = HfApi(endpoint=constants.ENDPOINT)
    try:
        url = api.create_repo(repo, repo_type=kind, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=repo,
            folder_path=folder,
            repo_type=kind,
            commit_message=_COMMITS[kind],
        )
    except (http_error, OSError, ValueError) as error:
        raise DualtuneError(
            f"--push {repo}: {_cause(error, repo)}. All is complete in {folder}: give the "
            f"same command again, or hf upload {repo} {folder} --repo-type {kind}."
        ) from error
    return str(url)


def _cause(error: Exception, repo: str) -> str:
    from huggingface_hub.errors import HfHubHTTPError

    if not isinstance(error, HfHubHTTPError):
        return f"the hub cannot be reached ({error}). Check the network, or HF_ENDPOINT"
    status = error.response.status_code
    if status == 401:
        return f"the hub does not accept the token (401). {_LOG_IN}"
    if status == 403:
        owner = repo.partition("/")[0]
        return (
            f"the token may not write to {owner!r} (403). Use a token with write access, and an "
            "owner that is you or an organisation of yours"
        )
    said = error.server_message or str(error).strip().partition("\n")[0]
    return f"the hub answered with an error ({status}): {said}"
