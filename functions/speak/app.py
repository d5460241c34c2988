"""The speak function: `app` for any ASGI server, `handler` for Lambda."""

from core.http.app import make_app
from functions.handler import configured, handler_of
from functions.speak.routes import OPERATIONS, ROUTES

app = make_app("Patchbay speak", ROUTES, OPERATIONS, configured())
handler = handler_of(app, "speak")
