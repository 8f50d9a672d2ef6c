"""`/v1/models`: the runs that the server offers."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from lilliput.serve.errors import ERROR_RESPONSES
from lilliput.serve.models import ServedModel, ServedModels
from lilliput.serve.streaming import reply


def _object(model: ServedModel) -> dict[str, Any]:
    return {"id": model.name, "object": "model", "created": model.created, "owned_by": "lilliput"}


def model_list(models: ServedModels) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["OpenAI"])

    @router.get("/v1/models", responses=ERROR_RESPONSES)
    async def list_models() -> Response:
        """List the models."""
        return reply({"object": "list", "data": [_object(model) for model in models]})

    @router.get("/v1/models/{model}", responses=ERROR_RESPONSES)
    async def retrieve_model(model: str) -> Response:
        """Return one model."""
        return reply(_object(models.find(model)))

    return router
