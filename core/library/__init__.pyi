# For type checkers: at run time all of it is imported when it is first named.

from typing import Any

from core.library.bases import AIProvider as AIProvider
from core.library.bases import CloudProvider as CloudProvider
from core.library.bases import LLMProvider as LLMProvider
from core.library.bases import LlmProvider as LlmProvider
from core.library.bases import STTProvider as STTProvider
from core.library.bases import TranslationProvider as TranslationProvider
from core.library.bases import TTSProvider as TTSProvider
from core.library.calls import TextStream as TextStream
from core.library.compatible import HttpProviderClient as HttpProviderClient
from core.library.compatible import OpenAICompatible as OpenAICompatible
from core.library.compatible import OpenAICompatibleProvider as OpenAICompatibleProvider
from core.library.factory import ProviderFactory as ProviderFactory
from core.library.factory import get_fallback_chain as get_fallback_chain
from core.library.legacy import ModelType as ModelType
from core.library.manager import ProviderManager as ProviderManager
from core.library.manager import get_provider_manager as get_provider_manager
from core.library.orchestration import Orchestrator as Orchestrator
from core.library.orchestration import orchestrator as orchestrator
from core.library.provider import Provider as Provider
from core.library.registry import ProviderRegistry as ProviderRegistry
from core.library.requests import ChatMessage as ChatMessage
from core.library.requests import ChatRequest as ChatRequest
from core.library.requests import EmbeddingRequest as EmbeddingRequest
from core.library.requests import LLMRequest as LLMRequest
from core.library.requests import ManagerConfig as ManagerConfig
from core.library.requests import ProviderConfig as ProviderConfig
from core.library.requests import TranscriptionRequest as TranscriptionRequest
from core.library.requests import VisionRequest as VisionRequest
from core.library.requests import user_message as user_message
from core.library.results import ChatResponse as ChatResponse
from core.library.results import EmbeddingResponse as EmbeddingResponse
from core.library.results import GenerationResult as GenerationResult
from core.library.results import LLMResponse as LLMResponse
from core.library.results import LLMResult as LLMResult
from core.library.results import ModelInfo as ModelInfo
from core.library.results import RankedDocument as RankedDocument
from core.library.results import RerankResponse as RerankResponse
from core.library.results import RoutingDecision as RoutingDecision
from core.library.results import Usage as Usage
from core.library.results import VisionResponse as VisionResponse
from core.library.router import ModelRouter as ModelRouter
from core.library.router import ModelRouterV2 as ModelRouterV2
from core.library.scope import Scope as Scope
from core.library.scope import using as using
from core.library.service import ProviderConfigService as ProviderConfigService
from core.library.service import get_provider_config_service as get_provider_config_service
from core.library.service import initialize_provider_system as initialize_provider_system
from core.library.service import provider_score as provider_score
from core.library.sound_results import BeautifyResult as BeautifyResult
from core.library.sound_results import STTResult as STTResult
from core.library.sound_results import TranscriptionResponse as TranscriptionResponse
from core.library.sound_results import TranslationResult as TranslationResult
from core.library.sound_results import TTSResult as TTSResult
from core.library.words import ModelCapability as ModelCapability
from core.library.words import ModelTier as ModelTier
from core.library.words import ProviderCapability as ProviderCapability
from core.library.words import ProviderStrategy as ProviderStrategy
from core.library.words import TaskComplexity as TaskComplexity
from core.library.words import TaskRisk as TaskRisk

ProviderType: Any

def __getattr__(name: str) -> Any: ...  # the classes of the table's rows
