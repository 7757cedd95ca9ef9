"""The application: the prediction route beside everything that is less hurried."""

import re
from collections.abc import Collection
from importlib import resources
from typing import Annotated, Protocol

import msgspec
from fastapi import FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp

import bellwether
from bellwether.api import docs_page, openapi, pages, problems
from bellwether.api.backtest_routes import BacktestDoor, add_backtests
from bellwether.api.edge import ID_IN_SCOPE, LOOPBACK_HOSTS, edge
from bellwether.api.predict_route import Predictor, predict_route
from bellwether.api.problems import FieldProblem, Problem, ProblemResponse
from bellwether.api.schemas import checked_id, checked_symbol
from bellwether.core.errors import BellwetherError
from bellwether.core.types import WAITING
from bellwether.reports.markup import text_of
from bellwether.telemetry import METRICS_MEDIA_TYPE, metrics_text, set_build_info

MAX_DAYS = 5_000
STATIC_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_KIND_OF_STATUS = {
    400: problems.MALFORMED,
    404: problems.NO_ROUTE,
    405: problems.WRONG_METHOD,
    413: problems.TOO_LARGE,
    415: problems.WRONG_MEDIA_TYPE,
}

_HOST = re.compile(r"[A-Za-z0-9.\-]+(:\d+)?|\[[0-9A-Fa-f:]+\](:\d+)?")

Days = Annotated[
    int, Query(ge=1, le=MAX_DAYS, description="How many sessions, back from the last.")
]
Symbol = Annotated[str, Path(description="The symbol, in either case.", examples=["AAPL"])]
View = Annotated[
    str | None,
    Query(
        description="A view that a release here reads; by default that of the symbol's release.",
        examples=["technical"],
    ),
]
PredictionId = Annotated[str, Path(description="The `prediction_id` of an answer.")]


class Service(Predictor, Protocol):
    """What the HTTP door needs from the floor below; `PredictionService` is one."""

    @property
    def backtests(self) -> BacktestDoor:
        """Backtests as durable jobs."""
        ...

    def backtest(self, symbol: str, days: int) -> dict[str, object]:
        """Return the out-of-sample record of `symbol`."""
        ...

    def health(self) -> dict[str, object]:
        """Return the state of the platform and of its parts."""
        ...

    def overview(self) -> dict[str, object]:
        """Return what the dashboard shows."""
        ...

    def prediction(self, prediction_id: str) -> dict[str, object]:
        """Return a stored prediction, or `status` "waiting" for one that is still to be made."""
        ...

    def feature_store_stats(self) -> dict[str, object]:
        """Return what the feature store holds and how it is read."""
        ...

    def feature_store_metadata(self, symbol: str) -> dict[str, object]:
        """Return the versions kept of one symbol's vector."""
        ...

    async def feature_store_features(
        self, symbol: str, view: str | None = None
    ) -> dict[str, object]:
        """Return the features that a prediction would read now, or those of another view."""
        ...


def create_app(service: Service, allowed_hosts: Collection[str] | None = LOOPBACK_HOSTS) -> ASGIApp:
    """Build the ASGI application.

    Parameters
    ----------
    service
        Answers the questions.
    allowed_hosts
        Names and addresses, without port, that a Host header may carry. None takes any and belongs
        only behind something that checks.
    """
    set_build_info(bellwether.__version__)
    rest = FastAPI(
        title="Bellwether",
        version=bellwether.__version__,
        summary="Equity forecasts with their honest record.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry={"auto_configure": False},  # nothing is sent anywhere because of an environment
    )
    _add_problems(rest)
    _add_records(rest, service)
    add_backtests(rest, service)
    _add_feature_store(rest, service)
    _add_machine_routes(rest, service)
    _add_pages(rest, service)
    return edge(predict_route(service), rest, allowed_hosts)


def _json(
    content: dict[str, object], status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    # msgspec writes NaN and infinities as null, which JSON can say and they cannot.
    return Response(msgspec.json.encode(content), status, headers, "application/json")


def _add_records(rest: FastAPI, service: Service) -> None:
    @rest.get("/backtest/{symbol}", tags=["Forecasts"], responses=openapi.BACKTEST_RESPONSES)
    def backtest(symbol: Symbol, days: Days = 30) -> Response:
        """Return the out-of-sample record of the released model on one symbol, after costs.

        Beside it stand its baselines, scored on the same sessions. Nothing is trained here: the
        record was made walk-forward when the model was.
        """
        return _json(service.backtest(checked_symbol(symbol), days))

    @rest.get(
        "/predictions/{prediction_id}", tags=["Forecasts"], responses=openapi.PREDICTION_RESPONSES
    )
    def prediction(prediction_id: PredictionId) -> Response:
        """Return a prediction as it was stored; 202 while a queued request waits for its answer."""
        found = service.prediction(checked_id(prediction_id))
        if found.get("status") != WAITING:
            return _json(found)
        return _json(found, 202, {"retry-after": "1"})


def _add_feature_store(rest: FastAPI, service: Service) -> None:
    @rest.get("/feature-store/stats", tags=["Features"], responses=openapi.FEATURES_RESPONSES)
    def stats() -> Response:
        """Return how features are read, by level, what is kept of them, and how fresh it is."""
        return _json(service.feature_store_stats())

    @rest.get(
        "/feature-store/metadata/{symbol}", tags=["Features"], responses=openapi.FEATURES_RESPONSES
    )
    def metadata(symbol: Symbol) -> Response:
        """Return every version kept of a symbol's features: its session, age and size."""
        return _json(service.feature_store_metadata(checked_symbol(symbol)))

    @rest.get(
        "/feature-store/features/{symbol}", tags=["Features"], responses=openapi.FEATURES_RESPONSES
    )
    async def features(symbol: Symbol, view: View = None) -> Response:
        """Return the features that a prediction of the symbol would read now."""
        return _json(await service.feature_store_features(checked_symbol(symbol), view))


def _add_machine_routes(rest: FastAPI, service: Service) -> None:
    @rest.get("/health", tags=["Operation"], responses=openapi.HEALTH_RESPONSES)
    def health() -> Response:
        """Return the state of each part; 503 only where predictions cannot be answered."""
        report = service.health()
        return _json(report, 503 if report.get("status") == "down" else 200)

    @rest.get("/metrics", tags=["Operation"], responses=openapi.METRICS_RESPONSES)
    def metrics() -> Response:
        """Return the measurements in the Prometheus text format."""
        return Response(metrics_text(), headers={"content-type": METRICS_MEDIA_TYPE})

    @rest.get("/openapi.json", tags=["Operation"], responses=openapi.DOCUMENT_RESPONSES)
    def document() -> Response:
        """Return this description of the interface, OpenAPI 3.1."""
        return _json(openapi.document(rest))


def _add_pages(rest: FastAPI, service: Service) -> None:
    files = _static_files()

    @rest.get("/", tags=["Pages"], responses=openapi.PAGE_RESPONSES)
    def dashboard() -> Response:
        """Show forecasts, their skill beside the baselines, and what was asked lately."""
        as_json = msgspec.json.encode(service.overview())  # NaN becomes null on the way
        return HTMLResponse(pages.dashboard(msgspec.json.decode(as_json)))

    @rest.get("/docs", tags=["Pages"], responses=openapi.PAGE_RESPONSES)
    def docs(request: Request) -> Response:
        """Show this interface to people, with a form to try each operation."""
        host = request.headers.get("host", "")
        base = f"{request.scope['scheme']}://{host if _HOST.fullmatch(host) else 'localhost'}"
        return HTMLResponse(docs_page.render(openapi.document(rest), base))

    @rest.get("/favicon.ico", include_in_schema=False)
    def favicon() -> Response:
        return files["icon.svg"]

    @rest.get("/static/{name}", include_in_schema=False)
    def static(name: str) -> Response:
        if name not in files:
            raise HTTPException(404)
        return files[name]


def _static_files() -> dict[str, Response]:
    folder = resources.files("bellwether.api") / "static"
    before = {"app.css": text_of("bellwether.reports", "static/base.css").encode()}
    return {
        file.name: Response(
            before.get(file.name, b"") + file.read_bytes(),
            headers={"cache-control": "no-cache"},
            media_type=STATIC_TYPES["." + file.name.rpartition(".")[2]],
        )
        for file in folder.iterdir()
    }


def _add_problems(rest: FastAPI) -> None:
    @rest.exception_handler(BellwetherError)
    async def ours(request: Request, error: BellwetherError) -> Response:
        return ProblemResponse(problems.problem_of(error), request.scope["path"])

    @rest.exception_handler(RequestValidationError)
    async def fields(request: Request, error: RequestValidationError) -> Response:
        found = tuple(
            FieldProblem(".".join(str(part) for part in e["loc"][1:]), str(e["msg"]))
            for e in error.errors()
        )
        return ProblemResponse(problems.invalid_fields(found), request.scope["path"])

    @rest.exception_handler(HTTPException)
    async def framework(request: Request, error: HTTPException) -> Response:
        return ProblemResponse(_of_framework(request, error), request.scope["path"])

    @rest.exception_handler(Exception)
    async def unforeseen(request: Request, _: Exception) -> Response:
        # The framework raises it again after this answer; the edge logs it there, once.
        problem = problems.internal_problem(request.scope[ID_IN_SCOPE])
        return ProblemResponse(problem, request.scope["path"])


def _of_framework(request: Request, error: HTTPException) -> Problem:
    kind = _KIND_OF_STATUS.get(error.status_code, problems.MALFORMED)
    path = request.scope["path"]
    if kind is problems.NO_ROUTE:
        return Problem(kind, f"There is no route {path[:200]}. The routes are listed on /docs.")
    if kind is problems.WRONG_METHOD:
        allow = (error.headers or {}).get("Allow", "GET")
        allow += ", HEAD" if allow == "GET" else ""
        detail = f"{path[:200]} takes {allow}, not {request.method}."
        return Problem(kind, detail, headers=(("allow", allow),))
    return Problem(kind, str(error.detail))
