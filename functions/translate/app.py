"""The translate function: `app` for any ASGI server, `handler` for Lambda."""

from core.http.app import make_app
from functions.handler import configured, handler_of
from functions.translate.routes import OPERATIONS, ROUTES

app = make_app("Patchbay translate", ROUTES, OPERATIONS, configured())
handler = handler_of(app, "translate")
