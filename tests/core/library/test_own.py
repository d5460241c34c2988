"""A caller's own providers: every shape of method, in plans, fallback, streams, receipts and costs like the rest."""

import asyncio
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from core.errors import AllTargetsFailed, BadRequest
from core.library import (
    AIProvider,
    ChatResponse,
    GenerationResult,
    GroqProvider,
    LLMProvider,
    ModelInfo,
    ModelTier,
    Orchestrator,
    ProviderConfig,
    ProviderFactory,
    ProviderManager,
    ProviderRegistry,
    Usage,
    get_provider_manager,
    orchestrator,
    user_message,
)
from tests.core.fakes import run

HELLO = [user_message("Hello")]


class Prompted(LLMProvider):
    async def generate(self, model, prompt, context=None, **more):
        return GenerationResult(f"{model} {prompt} {sorted(more)}", Usage(10, 5))


class Conversing:
    async def generate(self, messages):
        return messages[-1]["content"].upper()


class Requested(AIProvider):
    async def chat_completion(self, request):
        return ChatResponse(f"{request.model} {request.messages[0].content} {request.max_tokens}")


class Spelled:
    def chat_completion(self, messages, temperature, max_tokens, stream):
        usage = {"prompt_tokens": 3, "completion_tokens": 4}
        return {"content": f"{temperature} {max_tokens} {stream}", "usage": usage}


class Streaming:
    async def generate(self, model, prompt):
        async def pieces():
            yield "a"
            yield "b"

        return pieces()


def alone(provider, name="mine"):
    manager = ProviderManager()
    manager.register_provider(name, provider)
    return manager


@pytest.mark.parametrize(
    ("provider", "content", "tokens"),
    [
        (Prompted(), "prompted Hello ['max_tokens']", 15),
        (Conversing(), "HELLO", None),
        (Requested(), "mine Hello 9", None),
        (Spelled(), "None 9 False", 7),
        (Streaming(), "ab", None),
    ],
    ids=lambda one: type(one).__name__,
)
def test_every_shape_of_method_is_asked_in_its_own_way(house, provider, content, tokens):
    said = run(alone(provider).generate(HELLO, max_tokens=9))
    assert said.content == content
    assert said.provider == "mine"
    usage = said.metadata["usage"]
    assert (
        (usage["source"], usage["total_tokens"]) == ("reported", tokens) if tokens else usage["source"] == "estimated"
    )


def test_what_it_does_not_take_is_not_sent_and_said(house):
    said = run(alone(Spelled()).generate(HELLO, temperature=0.1, seed=4))
    assert said.content == "0.1 None False"
    assert said.metadata["warnings"] == ["seed was not sent: mine/mine does not take it"]


def test_several_messages_become_one_prompt(house):
    messages = [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Hello"}]
    said = run(alone(Prompted()).generate(messages))
    assert said.content == "prompted system: Be brief\n\nuser: Hello []"


def test_it_streams_in_one_piece(house):
    async def work():
        stream = await alone(Conversing()).chat_completion(HELLO, stream=True)
        return [piece async for piece in stream], stream.result

    pieces, result = run(work())
    assert pieces == ["HELLO"]
    assert (result.content, result.provider, result.metadata["usage"]["source"]) == ("HELLO", "mine", "estimated")


class Failing:
    def __init__(self, error):
        self.error = error

    async def generate(self, messages):
        raise self.error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError("it broke"), "OwnCodeFailed"),
        (TimeoutError(), "AttemptTimeout"),
        (ConnectionRefusedError("nobody there"), "Unreachable"),
        (type("Limited", (Exception,), {"status_code": 429})("slow down"), "RateLimited"),
        (type("Refused", (Exception,), {"status": 401})("bad key sk-proj-abcdef123456"), "CredentialRefused"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_it_raises_is_a_failed_attempt_and_the_next_answers(house, error, kind):
    get_provider_manager().register_provider("mine", Failing(error))
    said = run(orchestrator.chat_completion(HELLO, preferred_provider="mine"))
    failed, won = said.metadata["attempts"]
    assert (failed["provider"], failed["error"], won["provider"]) == ("mine", kind, said.provider)
    assert "sk-proj" not in failed["why"]
    assert any("instead of mine" in words for words in said.metadata["warnings"])


@pytest.mark.parametrize(
    ("error", "tries"),
    [(ValueError("no such thing"), 1), (ConnectionRefusedError("nobody there"), 3), (None, 1)],
    ids=["ValueError", "ConnectionRefusedError", "nothing"],
)
def test_what_to_do_about_it_is_in_its_code(house, error, tries):
    """No address or proxy of ours is in the way, and a mistake is not made better by making it again."""

    class Broken:
        asked = 0

        async def generate(self, messages):
            self.asked += 1
            if error is not None:
                raise error

    broken = Broken()
    with pytest.raises(AllTargetsFailed) as raised:
        run(alone(broken).generate(HELLO, fallback=False))
    assert broken.asked == tries
    assert "the program's own provider" in str(raised.value)
    assert not any(word in str(raised.value) for word in ("proxy", "base URL"))


@pytest.mark.parametrize("name", ["a/b c", "", ".hidden", "größer", "a:b"])
def test_a_name_can_stand_before_a_slash(house, name):
    with pytest.raises(BadRequest, match="cannot be a provider's name") if name else nullcontext():
        ProviderFactory.register_provider(name, Conversing())
    with pytest.raises(BadRequest, match="cannot be a provider's name") if name else nullcontext():
        ProviderManager().with_fallback(GroqProvider(ProviderConfig(name=name, api_key="gsk-1")))


@pytest.mark.parametrize("name", ["mine-2", "my_own.v1", "3rd"])
def test_names_that_can(house, name):
    ProviderFactory.register_provider(name, Conversing())
    assert run(orchestrator.chat_completion(HELLO, preferred_provider=name)).provider == name


def test_a_key_of_its_configuration_stays_out_of_errors(house):
    failing: Any = Failing(ValueError("the key opensesame-12345 is wrong"))
    failing.config = ProviderConfig(api_key="opensesame-12345")
    with pytest.raises(AllTargetsFailed) as raised:
        run(alone(failing).generate(HELLO, fallback=False, timeout=5))
    assert "opensesame" not in str(raised.value) and "***" in str(raised.value)


def test_nothing_is_no_answer(house):
    class Empty:
        async def generate(self, model, prompt):
            pass

    manager = alone(Empty()).with_fallback(Conversing())
    said = run(manager.generate(HELLO))
    assert said.metadata["attempts"][0]["error"] == "Malformed"
    assert said.provider == "conversing"


def test_who_has_no_verb_is_refused(house):
    for provider in (LLMProvider(), AIProvider(), SimpleNamespace()):
        with pytest.raises(BadRequest, match="no method of its own by one of the names generate, chat_completion"):
            ProviderRegistry().register(provider)


class Priced(Prompted):
    available_models: ClassVar = [
        ModelInfo("x", "small", "Small", ["code"], 1000, 0.001, 0.002, ModelTier.FAST),
        ModelInfo("x", "large", "Large", ["code", "complex_reasoning"], 9000, 0.01, 0.02, ModelTier.ADVANCED),
    ]


def test_its_prices_and_skills_hold_in_costs_and_in_routing(house):
    registry = ProviderRegistry()
    registry.register(Priced())
    orchestrated = Orchestrator(registry=registry)
    high = run(orchestrated.run_task({"prompt": "Hello", "risk": "high"}))
    low = run(orchestrated.run_task({"prompt": "Hello", "risk": "low"}))
    assert (high.model, low.model) == ("large", "small")
    assert high.metadata["cost"]["nano_usd"] == 10 * 10_000 + 5 * 20_000
    assert [one.model_id for one in registry.list_models(max_cost=0.005)] == ["small"]


def test_a_task_has_a_cost_that_it_may_not_exceed(house):
    registry = ProviderRegistry()
    registry.register(Priced())
    with pytest.raises(Exception, match="may cost up to"):
        run(Orchestrator(registry=registry).run_task({"prompt": "Hello", "max_cost": 1e-9, "max_tokens": 100}))


def test_a_task_of_high_risk_falls_back_to_models_that_fit_and_to_no_other(house):
    class Broken(Priced):
        async def generate(self, model, prompt, context=None, **more):
            raise RuntimeError(model)

    registry = ProviderRegistry()
    registry.register(Broken())
    registry.register(Conversing())  # which has no model of that tier
    with pytest.raises(AllTargetsFailed) as raised:
        run(Orchestrator(registry=registry).run_task({"prompt": "Hello", "risk": "high"}))
    assert {attempt.target.model for attempt in raised.value.attempts} == {"large"}


def test_it_says_itself_whether_it_is_there(house):
    class Shy(Conversing):
        there = False

        def is_available(self):
            return self.there

    shy = Shy()
    ProviderFactory.register_provider("shy", shy)
    assert "shy" not in ProviderFactory.get_available_providers("llm_chat")
    said = run(orchestrator.chat_completion(HELLO, preferred_provider="shy"))
    assert said.metadata["attempts"][0]["error"] == "Unreachable"
    shy.there = True
    assert "shy" in ProviderFactory.get_available_providers("llm_chat")
    assert run(orchestrator.chat_completion(HELLO, preferred_provider="shy")).provider == "shy"


def test_its_own_health_is_asked(house):
    class Sick(Conversing):
        async def health_check(self):
            raise RuntimeError("no")

    manager = alone(Sick()).with_fallback(Conversing())
    assert run(manager.health_check_all()) == {"mine": False, "conversing": True}


def test_a_registered_provider_keeps_what_else_it_can_do(house):
    provider: Any = Conversing()
    provider.colour = "green"
    registry = ProviderRegistry()
    registry.register(provider)
    found: Any = registry.get_provider("conversing")
    assert found.colour == "green"
    assert run(found.generate(HELLO)).metadata["decision_id"]
    with pytest.raises(AttributeError):
        found.taste  # noqa: B018 - it has none


def test_answers_of_ones_own_code_are_not_kept_for_another_process(house):
    """Two objects under one name: the second must not be answered for by the first."""

    class Fixed:
        def __init__(self, word):
            self.word = word

        async def generate(self, messages):
            return self.word

    said = [run(alone(Fixed(word)).generate(HELLO, temperature=0, cache="on")).content for word in ("one", "two")]
    assert said == ["one", "two"]


def test_it_may_take_its_time_beside_others(house):
    class Slow(Conversing):
        async def generate(self, messages):
            await asyncio.sleep(0)
            return await super().generate(messages)

    manager = alone(Slow())

    async def many():
        return await asyncio.gather(*(manager.generate([user_message(f"n{n}")]) for n in range(20)))

    assert [one.content for one in run(many())] == [f"N{n}" for n in range(20)]


class Embedding(Conversing):
    def embed(self, texts):
        return [[float(len(text)), 1.0] for text in texts]


class Requesting(AIProvider):
    async def generate_embedding(self, request):
        return {"embeddings": [[1, 2, 3]] * len(request.input), "usage": {"prompt_tokens": 4}}


def test_vectors_of_its_own(house):
    said = run(alone(Embedding()).generate_embedding(["a", "bcd"]))
    assert (said.embeddings, said.provider) == ([[1.0, 1.0], [3.0, 1.0]], "mine")
    said = run(alone(Requesting()).generate_embedding("a"))
    assert (said.embedding, said.usage["total_tokens"]) == ([1, 2, 3], 4)
    assert ProviderFactory.get_available_providers("llm_embedding")[:1] == ["azure"]


@pytest.mark.parametrize("wrong", [None, [[1.0]], [["a"], ["b"]], [[1.0], [2.0, 3.0]], [object(), object()]])
def test_vectors_that_are_none_are_a_failed_attempt(house, wrong):
    class Wrong:
        def embed(self, texts):
            return wrong

    with pytest.raises(AllTargetsFailed) as raised:
        run(alone(Wrong()).generate_embedding(["a", "b"], fallback=False))
    assert {type(one).__name__ for one in raised.value.errors} == {"Malformed"}


def test_who_only_embeds_is_not_asked_to_chat(house):
    manager = alone(Requesting()).with_fallback(Conversing())
    assert run(manager.generate(HELLO)).provider == "conversing"
