"""The chat function: `app` for any ASGI server, `handler` for Lambda."""

from core.bootstrap import build
from core.http.app import make_app
from functions.chat.routes import OPERATIONS, ROUTES
from functions.handler import handler_of

app = make_app("Patchbay chat", ROUTES, OPERATIONS, build())
handler = handler_of(app, "chat")
