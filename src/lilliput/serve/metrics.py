"""`/metrics`: figures for Prometheus."""

import time
from collections.abc import Iterator

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lilliput.serve.models import ServedModels

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The figures of one server."""

    def __init__(self, models: ServedModels) -> None:
        self.registry = CollectorRegistry()
        self._models = models
        self._requests = Counter(
            "lilliput_requests", "Requests by route and status.", ("path", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "lilliput_request_seconds", "Time of a request.", ("path",), buckets=_SECONDS, registry=self.registry
        )
        self.first_token = Histogram(
            "lilliput_first_token_seconds", "Time to the first token.", buckets=_SECONDS, registry=self.registry
        )
        self.registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Yield the state of the models, which Prometheus asks for."""
        tokens = CounterMetricFamily("lilliput_generated_tokens", "Tokens generated.", labels=["model"])
        active = GaugeMetricFamily("lilliput_active_texts", "Texts being written.", labels=["model"])
        waiting = GaugeMetricFamily("lilliput_waiting_texts", "Texts that wait for a row.", labels=["model"])
        for model in self._models:
            tokens.add_metric([model.name], model.worker.tokens)
            active.add_metric([model.name], model.worker.active)
            waiting.add_metric([model.name], model.worker.waiting)
        yield from (tokens, active, waiting)

    def observe(self, path: str, status: int, seconds: float) -> None:
        """Count a request to a route."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def routes(self) -> APIRouter:
        """Return the route of the figures."""
        router = APIRouter(tags=["server"])

        @router.get("/metrics")
        def metrics() -> Response:
            """Return the figures in Prometheus' text format."""
            return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)

        return router


class Counted:
    """ASGI middleware that counts requests."""

    def __init__(self, application: ASGIApp, metrics: Metrics) -> None:
        self._application, self._metrics = application, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and count it."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def sender(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._application(scope, receive, sender)
        finally:
            # The pattern of the route, not the path, of which a client could make any number.
            route = scope.get("route")
            self._metrics.observe(getattr(route, "path", "other"), status, time.perf_counter() - began)
