"""Translation."""

from starlette.routing import Route

from core.gateway import Gateway
from core.http.endpoint import Endpoint
from core.http.openapi import translate_operation
from core.http.translations import Translations

ROUTES = [Route("/api/ai/translate", Endpoint(Translations(), Gateway.translate), methods=["POST"])]
OPERATIONS = {"/api/ai/translate": translate_operation()}
