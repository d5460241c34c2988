"""The embed function: `app` for any ASGI server, `handler` for Lambda."""

from core.http.app import make_app
from functions.embed.routes import OPERATIONS, ROUTES
from functions.handler import configured, handler_of

app = make_app("Patchbay embed", ROUTES, OPERATIONS, configured())
handler = handler_of(app, "embed")
