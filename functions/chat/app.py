"""The chat function: `app` for any ASGI server, `handler` for Lambda."""

from core.http.app import make_app
from functions.chat.routes import OPERATIONS, ROUTES
from functions.handler import configured, handler_of

app = make_app("Patchbay chat", ROUTES, OPERATIONS, configured())
handler = handler_of(app, "chat")
