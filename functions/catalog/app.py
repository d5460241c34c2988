"""The catalog function: what there is, how it is, what would be chosen and what was."""

from core.bootstrap import build
from core.http.app import make_app
from functions.catalog.routes import ROUTES
from functions.handler import handler_of

app = make_app("Patchbay catalog", ROUTES, {}, build())
handler = handler_of(app, "catalog")
