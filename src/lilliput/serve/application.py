"""The web application: all routes over the open models."""

from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from lilliput.serve.errors import ERROR_RESPONSES, add_handlers, busy
from lilliput.serve.metrics import Counted, Metrics
from lilliput.serve.models import ServedModels
from lilliput.serve.openai.chat import chat
from lilliput.serve.openai.completions import completions
from lilliput.serve.openai.models import model_list
from lilliput.serve.openai.tokenization import tokenization
from lilliput.serve.playground.looking import looking
from lilliput.serve.playground.writing import writing
from lilliput.serve.security import Security
from lilliput.serve.streaming import reply
from lilliput.serve.training.jobs import Trainings
from lilliput.serve.training.routes import training_routes

PAGE = Path(__file__).parent / "page"


class Application:
    """The routes behind their middleware. While `stopping`, every new request gets the status 503."""

    def __init__(
        self,
        models: ServedModels,
        trainings: Trainings,
        *,
        host: str = "127.0.0.1",
        token: str | None = None,
        origins: tuple[str, ...] = (),
    ) -> None:
        self.models, self.trainings = models, trainings
        self.stopping = False
        self.answering = 0
        """Number of requests that are being answered."""
        self.metrics = Metrics(models)
        self.routes = self._routes()
        models.on_first_token = self.metrics.first_token.observe
        self._application: ASGIApp = Security(Counted(self.routes, self.metrics), host, token, origins)

    def _routes(self) -> FastAPI:
        routes = FastAPI(title="Lilliput", version=version("lilliput"), docs_url=None, redoc_url=None)
        add_handlers(routes)
        for part in (completions, chat, model_list, tokenization, writing, looking):
            routes.include_router(part(self.models))
        routes.include_router(training_routes(self.models, self.trainings))
        routes.include_router(self.metrics.routes())

        @routes.get("/health", tags=["server"], responses=ERROR_RESPONSES)
        async def health() -> Response:
            """Return whether the server answers requests."""
            return reply({"status": "ok"})

        @routes.get("/", include_in_schema=False)
        async def page() -> Response:
            """Return the page."""
            return FileResponse(PAGE / "index.html")

        routes.mount("/page", StaticFiles(directory=PAGE), name="page")
        return routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if self.stopping and scope["type"] == "http":
            error = busy("the server stops")
            await JSONResponse(error.body, error.status, error.headers)(scope, receive, send)
            return
        self.answering += 1
        try:
            await self._application(scope, receive, send)
        finally:
            self.answering -= 1
