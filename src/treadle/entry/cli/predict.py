"""`treadle predict`: ask a model one question, in a home or of a running server."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from treadle.entry.cli._fields import request_fields
from treadle.entry.cli._homes import open_home, open_project, opened_metadata, opened_online, reading
from treadle.entry.cli._shared import (
    DEFAULT_HOME,
    DEFAULT_PROJECT,
    AsJson,
    Home,
    Plain,
    Project,
    command_app,
    emit_record,
    note,
)
from treadle.entry.client import ServerClient
from treadle.records.errors import InvalidInput, NotFound, NotReady, TreadleError
from treadle.records.instants import Instant, instant, iso

if TYPE_CHECKING:
    from treadle.bootstrap import Home as OpenedHome
    from treadle.define.endpoints import Endpoint
    from treadle.loop.asking import Asked
    from treadle.records.models import ModelVersion

app = command_app()


@app.command("predict")
def predict(
    fields: Annotated[list[str], typer.Argument(metavar="FIELD=VALUE...", help="The request's fields.")],
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", help="Whose model; may be left out when there is only one.")
    ] = None,
    home: Home = DEFAULT_HOME,
    project: Project = DEFAULT_PROJECT,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="INSTANT", help="Answer with what was known then, from the stored rows."
        ),
    ] = None,
    version: Annotated[
        int | None, typer.Option("--version", help="Ask this version, not the one that serves.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="Ask a running server; TREADLE_TOKEN has its token.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask a model one question; the answer comes with the features it was made from.

    Without --url nothing is logged: the question goes through the server's own parts in this process. Without
    --at the online store is asked as it stands; with it, the rows known at that instant and the version that
    served then.
    """
    if url is not None:
        if at is not None:
            raise InvalidInput("a running server answers for the present", fix="leave out --at, or --url")
        emit_record(_ask_server(url, endpoint, fields, version), as_json=as_json)
        return
    asked = _ask_home(home, project, endpoint, fields, None if at is None else instant(at), version)
    record = _record(asked)
    if not as_json and not asked.unusable:
        del record["unusable"]
    emit_record(record, as_json=as_json)
    if asked.unusable:
        note(
            f"{len(asked.unusable)} looked-up features had no value to give, as of {iso(asked.at)}: the entity was never seen "
            "(absent), or what is known of it is older than ttl or window (expired)"
        )


def _ask_home(
    folder: Path, project: Path, name: str | None, given: list[str], at: Instant | None, number: int | None
) -> Asked:
    from treadle.loop.asking import ask_offline, ask_online
    from treadle.loop.feed import stands_at
    from treadle.loop.stored import row_reader

    home = open_home(folder)
    endpoint = _endpoint(open_project(project, home).project.endpoints, name)
    row = request_fields(given, endpoint.features.request)
    version = _version(home, endpoint, number, at)
    if at is not None:
        with opened_metadata(home) as metadata:
            rows = row_reader(home.tables(), metadata)
            return ask_offline(home.blobs(), rows, endpoint, version, row, at)
    with opened_online(home) as online:
        stands = stands_at(online)
        if stands is None:
            raise NotReady("the online store is empty", fix="serve the home once, or ask with --at INSTANT")
        return ask_online(home.blobs(), online, endpoint, version, row, stands)


def _endpoint(endpoints: Sequence[Endpoint], name: str | None) -> Endpoint:
    known = {endpoint.name: endpoint for endpoint in endpoints}
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name is None:
        raise InvalidInput(
            f"the project has {len(known)} endpoints", fix=f"choose one: --endpoint {'|'.join(known) or '…'}"
        )
    if name not in known:
        raise NotFound.among("endpoint", name, known)
    return known[name]


def _version(home: OpenedHome, endpoint: Endpoint, number: int | None, at: Instant | None) -> ModelVersion:
    with reading(home) as view:
        if number is not None:
            return view.models.get_version(endpoint.model_name, number)
        found = view.models.find_by_alias(endpoint.model_name, endpoint.alias, at=at)
    if found is None:
        had = "has" if at is None else "had"
        when = " yet" if at is None else f" at {iso(at)}"
        raise NotReady(
            f"no version of {endpoint.model_name!r} {had} the alias {endpoint.alias!r}{when}",
            faults=[] if at is not None else _not_promoted(home, endpoint),
            fix="ask a version by its number: --version N",
            command=f"treadle models show {endpoint.model_name} --home {home.folder}",
        )
    return found


def _not_promoted(home: OpenedHome, endpoint: Endpoint) -> list[str]:
    """Say why the newest version that was judged did not become what the alias names."""
    try:
        with reading(home) as view:
            judged = view.models.verdicts(endpoint.model_name, limit=1)
    except NotFound:
        return []
    return [
        f"version {one.version} was judged and not promoted ({one.verdict.value}): {'; '.join(one.reasons)}"
        for one in judged
    ]


def _record(asked: Asked) -> dict[str, Plain]:
    return {
        "model": asked.version.model,
        "version": asked.version.version,
        "at": iso(asked.at),
        "probability": asked.score,
        "features": dict(asked.features),
        "unusable": dict(asked.unusable),
    }


def _ask_server(url: str, name: str | None, given: list[str], number: int | None) -> dict[str, Plain]:
    with ServerClient(url, os.environ.get("TREADLE_TOKEN", "")) as server:
        chosen = name or _only_endpoint(server)
        path = f"/v2/models/{quote(chosen, safe='')}"
        inputs = server.get(path)["inputs"]
        if not isinstance(inputs, list):
            raise TreadleError("the server's answer is not a description of a model", where=url)
        types = {str(one["name"]): _KINDS.get(str(one["datatype"]), "string") for one in inputs}
        row = request_fields(given, types)
        tensors = [
            {"name": one["name"], "shape": [1], "datatype": one["datatype"], "data": [row[one["name"]]]}
            for one in inputs
        ]
        pinned = "" if number is None else f"/versions/{number}"
        answer = server.post(f"{path}{pinned}/infer", json.dumps({"inputs": tensors}).encode())
    return {
        "model": str(answer["model_name"]),
        "version": int(str(answer["model_version"])),
        **{str(one["name"]): one["data"][0] for one in _outputs(answer)},
    }


_KINDS = {"FP64": "float", "INT64": "int", "BOOL": "bool"}


def _only_endpoint(server: ServerClient) -> str:
    endpoints = server.get("/v1/status")["endpoints"]
    names = [str(one["name"]) for one in endpoints] if isinstance(endpoints, list) else []
    if len(names) != 1:
        raise InvalidInput(
            f"the server has {len(names)} endpoints", fix=f"choose one: --endpoint {'|'.join(names) or '…'}"
        )
    return names[0]


def _outputs(answer: Mapping[str, object]) -> list[Mapping[str, list[Plain]]]:
    outputs = answer["outputs"]
    return outputs if isinstance(outputs, list) else []
