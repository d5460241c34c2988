"""The catalog function: what there is, how it is, what would be chosen and what was."""

from core.http.app import make_app
from functions.catalog.routes import ROUTES
from functions.handler import configured, handler_of

app = make_app("Patchbay catalog", ROUTES, {}, configured())
handler = handler_of(app, "catalog")
