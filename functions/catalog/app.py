"""The catalog function: what there is, how it is, what would be chosen and what was."""

from mangum import Mangum

from core.bootstrap import build
from core.http.app import make_app
from functions.catalog.routes import ROUTES

app = make_app("Patchbay catalog", ROUTES, {}, build())
handler = Mangum(app, lifespan="off")
