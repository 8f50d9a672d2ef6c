"""Routes of the page about runs and trainings."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from lilliput.errors import RunError
from lilliput.serve.errors import ERROR_RESPONSES, ApiError
from lilliput.serve.models import ServedModels
from lilliput.serve.playground.schemas import PageRequest
from lilliput.serve.streaming import reply
from lilliput.serve.training.jobs import Trainings
from lilliput.serve.training.run_list import RunSummary, listed, run_paths

Minutes = Annotated[float, Field(gt=0, le=100_000)]


class PlanRequest(PageRequest):
    """An upload and a time."""

    upload: str
    minutes: Minutes


class StartRequest(PlanRequest):
    """A training to start."""

    name: Annotated[str, Field(min_length=1, max_length=200)]


class _Pages:
    """What the routes do; each method runs in a thread."""

    def __init__(self, models: ServedModels, trainings: Trainings) -> None:
        self.models, self.trainings = models, trainings

    def runs(self) -> dict[str, Any]:
        rows = listed(run_paths(self.trainings.parent), self._is_open, self.trainings.trains)
        return {"runs": [*rows, *map(_preparing, self.trainings.starting())]}

    def details(self, name: str) -> dict[str, Any]:
        if name in self.trainings.starting():
            return _preparing(name) | _NOTHING_YET
        path = self._path(name)
        return RunSummary.read(path, self.trainings.trains(name)).details() | {"open": self._is_open(name)}

    def open(self, name: str) -> dict[str, Any]:
        path = self._path(name)
        if not self._is_open(name):
            self.models.open(path)
        return {}

    def delete(self, name: str) -> dict[str, Any]:
        self._path(name)
        is_open = self._is_open(name)
        self.trainings.delete(name)
        if is_open:
            self.models.remove(name)
        return {}

    def stop(self, name: str) -> dict[str, Any]:
        self.trainings.stop(name)
        return {}

    def proceed(self, name: str) -> dict[str, Any]:
        self.trainings.proceed(name)
        return {}

    def plan(self, body: PlanRequest) -> dict[str, Any]:
        return {"rows": [list(row) for row in self.trainings.plan(body.upload, body.minutes)]}

    def _path(self, name: str) -> Path:
        try:
            return self.trainings.run(name)
        except RunError as error:
            raise ApiError(404, str(error)) from None

    def _is_open(self, name: str) -> bool:
        model = self.models.get(name)
        return (
            model is not None
            and model.writer.folder is not None
            and (model.writer.folder.resolve() == (self.trainings.parent / name).resolve())
        )


_NOTHING_YET: dict[str, Any] = {
    "curve": [],
    "evaluations": [],
    "held_out": None,
    "baselines": [],
    "spikes": [],
    "characters_per_token": None,
    "tokens_per_second": None,
    "seconds_left": None,
    "samples": [],
    "findings": [],
    "recipe": "",
}


def _preparing(name: str) -> dict[str, Any]:
    """Return the object of a run whose text is being prepared."""
    numbers = {"step": 0, "seconds": 0.0, "progress": 0.0}
    missing = dict.fromkeys(("steps", "parameters", "bits_per_character", "best_step"))
    texts = {"name": name, "state": "training", "description": "", "text": "", "message": "the text is being prepared"}
    return texts | numbers | missing | {"open": False}


def training_routes(models: ServedModels, trainings: Trainings) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api", tags=["page"], responses=ERROR_RESPONSES)
    pages = _Pages(models, trainings)

    async def aside(work: Callable[..., Any], *arguments: Any) -> Response:
        return reply(await asyncio.to_thread(work, *arguments))

    @router.get("/runs")
    async def list_runs() -> Response:
        """List the runs of the folder."""
        return await aside(pages.runs)

    @router.get("/runs/{name}")
    async def show_run(name: str) -> Response:
        """Return the curves, samples and findings of a run."""
        return await aside(pages.details, name)

    @router.post("/runs/{name}/open")
    async def open_run(name: str) -> Response:
        """Add a run to the models."""
        return await aside(pages.open, name)

    @router.post("/runs/{name}/stop")
    async def stop_run(name: str) -> Response:
        """Finish the step and save."""
        return await aside(pages.stop, name)

    @router.post("/runs/{name}/continue")
    async def continue_run(name: str) -> Response:
        """Continue a run that the page has started."""
        return await aside(pages.proceed, name)

    @router.delete("/runs/{name}")
    async def delete_run(name: str) -> Response:
        """Delete a run."""
        return await aside(pages.delete, name)

    @router.post("/uploads")
    async def upload(request: Request, name: Annotated[str, Query(min_length=1, max_length=300)]) -> Response:
        """Keep a text and return what was read."""
        return await aside(trainings.upload, name, await request.body())

    @router.post("/plans")
    async def plan(body: PlanRequest) -> Response:
        """Return what would be trained."""
        return await aside(pages.plan, body)

    @router.post("/runs")
    async def start_run(body: StartRequest) -> Response:
        """Train a new run on an upload."""
        return await aside(lambda: {"name": trainings.start(body.upload, body.minutes, body.name)})

    return router
