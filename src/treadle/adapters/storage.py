"""Object storage: its URLs and options, and a store of obstore for them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from secrets import token_hex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from treadle.records.errors import InvalidInput, NotReady
from treadle.records.secrets import SecretRef

if TYPE_CHECKING:
    from obstore.store import ObjectStore

    from treadle.ports.secrets import Secrets

Options = Mapping[str, str]
"""A storage's options by name, such as `aws_access_key_id`; the environment's hold for those that are not given."""

STORAGE_URL = "TREADLE_STORAGE_URL"
"""The environment variable that says where a new home puts its tables and blobs, such as `s3://bucket/homes`."""
STORAGE_OPTIONS = "TREADLE_STORAGE_OPTIONS"
"""The secret with the options of homes' storage."""
SCHEMES = ("s3://", "gs://", "az://", "abfs://", "abfss://")

_RETRY_FOR = timedelta(seconds=20)
"""How long a request is tried again: a command is better told soon that a bucket cannot be reached."""


def storage_options(secrets: Secrets, ref: SecretRef | None) -> Options:
    """Return the options that a secret holds; none without one.

    Raises:
        NotReady: the secret is not set, or is no JSON object of text.
    """
    if ref is None:
        return {}
    import msgspec

    try:
        found: dict[str, str] = msgspec.json.decode(secrets.get(ref).encode(), type=dict[str, str])
    except msgspec.DecodeError:
        raise NotReady(
            f"the secret {ref.name} is not the options of a storage",
            fix='write a JSON object of text, such as {"aws_access_key_id": "…", "aws_secret_access_key": "…"}',
        ) from None
    return found


def home_options() -> Options:
    """Return the options of the storage that homes are in; none where no secret `TREADLE_STORAGE_OPTIONS` has them."""
    from treadle.adapters.secrets import LocalSecrets

    secrets, ref = LocalSecrets.of_process(), SecretRef(STORAGE_OPTIONS)
    try:
        secrets.get(ref)
    except NotReady:
        return {}
    return storage_options(secrets, ref)


def new_storage(environment: Mapping[str, str]) -> str | None:
    """Return where a new home puts its tables and blobs: a place that no other home has; None for its own folder.

    Raises:
        InvalidInput: what `TREADLE_STORAGE_URL` says is no URL of object storage, or holds a password.
    """
    url = environment.get(STORAGE_URL)
    if not url:
        return None
    if not url.startswith(SCHEMES) or urlsplit(url).password:
        raise InvalidInput(
            f"{STORAGE_URL} is no URL of object storage without a password",
            fix=f"write s3://bucket/prefix; credentials go into the environment, or into the secret {STORAGE_OPTIONS}",
        )
    return f"{url.rstrip('/')}/{token_hex(8)}"


def beside(url: str) -> str:
    """Return another such place beside a home's."""
    return f"{url.rpartition('/')[0]}/{token_hex(8)}"


def split_url(url: str) -> tuple[str, str]:
    """Return the URL of a bucket, and the path of what is in it."""
    scheme, _, rest = url.partition("://")
    bucket, _, path = rest.partition("/")
    return f"{scheme}://{bucket}", path.strip("/")


def open_bucket(url: str, options: Options) -> ObjectStore:
    """Return the store of a bucket, `scheme://bucket`, or of a prefix in it. Nothing is asked of it yet.

    Raises:
        NotReady: an option is not known, or the URL is none of object storage.
    """
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    retry = {"max_retries": 3, "retry_timeout": _RETRY_FOR}
    config = {name.lower(): value for name, value in options.items()}
    plain = [
        config.pop(name, "") for name in ("aws_allow_http", "allow_http")
    ]  # of the client, not of the storage
    client = {"allow_http": True} if "true" in [value.lower() for value in plain] else None
    try:
        store: ObjectStore = from_url(url, config=config, client_options=client, retry_config=retry)  # type: ignore[call-overload]  # it checks the names
        return store
    except (BaseError, ValueError) as error:
        raise unreachable(url, error) from error


def unreachable(url: str, error: BaseException) -> NotReady:
    """Return the error of a place that cannot be reached or refuses."""
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return NotReady(
        f"{url} cannot be reached: {said[:300]}",
        fix="check the URL, and the credentials in the environment (AWS_ACCESS_KEY_ID, …) or in the secret of storage=",
    )
