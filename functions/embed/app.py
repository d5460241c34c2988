"""The embed function: `app` for any ASGI server, `handler` for Lambda."""

from mangum import Mangum

from core.bootstrap import build
from core.http.app import make_app
from functions.embed.routes import OPERATIONS, ROUTES

app = make_app("Patchbay embed", ROUTES, OPERATIONS, build())
handler = Mangum(app, lifespan="off")
