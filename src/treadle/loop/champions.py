"""Which versions answer: the alias is followed; others are opened when they are asked for by number."""

from __future__ import annotations

import threading
from collections import OrderedDict

from treadle.loop.answering import Answerer
from treadle.loop.predictors import load_predictor
from treadle.loop.world import World
from treadle.records.errors import TreadleError
from treadle.records.failpoints import failpoint
from treadle.stages.serving.predictor import Predictor

KEPT = 4
"""So many versions asked for by number stay open, the last used ones."""


class Champions:
    """Keeps an endpoint answering with the version its alias names.

    A version is opened beside the one that answers, then put in its place by one assignment. One that cannot
    be opened changes nothing: the old one goes on, and `fault` says why.
    """

    def __init__(self, world: World, answerer: Answerer) -> None:
        self.fault: str | None = None
        self._world = world
        self._answerer = answerer
        self._endpoint = answerer.endpoint
        self._refused: int | None = None
        self._pinned: OrderedDict[int, Predictor] = OrderedDict()
        self._mutex = threading.Lock()

    def follow(self) -> int | None:
        """Look where the alias points; returns the version that began to answer, None if nothing changed.

        A version that could not be opened is not tried again until the alias has moved on.
        """
        with self._world.metadata.read() as view:
            wanted = view.models.find_by_alias(self._endpoint.model_name, self._endpoint.alias)
        serving = self._answerer.predictor
        if wanted is None or (serving is not None and serving.version == wanted.version):
            self.fault = self._refused = None
            return None
        if wanted.version == self._refused:
            return None
        try:
            predictor = self._open(wanted.version)
        except TreadleError as error:
            self._refused = wanted.version
            self.fault = f"{wanted.ref} cannot serve: {error}"
            return None
        failpoint("serving.before_swap")
        self._answerer.predictor = predictor
        self.fault = self._refused = None
        return wanted.version

    def pinned(self, version: int) -> Predictor:
        """Return any version of the endpoint's model; opened at most once while it is among the last used.

        Raises:
            NotFound: there is no such version.
            TreadleError: it cannot be opened.
        """
        with self._mutex:
            known = self._pinned.get(version)
            if known is None:
                known = self._pinned[version] = self._open(version)
            self._pinned.move_to_end(version)
            while len(self._pinned) > KEPT:
                self._pinned.popitem(last=False)
            return known

    def versions(self) -> list[int]:
        """Return the numbers of all versions of the model, ascending."""
        with self._world.metadata.read() as view:
            listed = view.models.list_versions(self._endpoint.model_name)
        return sorted(version.version for version in listed)

    def _open(self, number: int) -> Predictor:
        with self._world.metadata.read() as view:
            version = view.models.get_version(self._endpoint.model_name, number)
        return load_predictor(self._world, self._endpoint, version)
