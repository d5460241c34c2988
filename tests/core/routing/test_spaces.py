"""Embeddings stay within one model: who may stand in for whom, and what is said of everybody else."""

import pytest

from core.capabilities import Capability
from core.config import settings
from core.config.catalog import Catalog, load
from core.config.overrides import merge
from core.errors import BadRequest, NoTarget, NotFound
from core.net.transport import Transport
from core.providers.registry import Registry
from core.routing.planner import Planner
from core.types.request import Options, Request
from core.wire.embeddings import embed_facts

AZURE = {"AZURE_OPENAI_KEY": "a", "AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com"}
OPENAI, TOGETHER = {"OPENAI_API_KEY": "o"}, {"TOGETHER_API_KEY": "t"}
LOCAL = {"LOCAL_BASE_URL": "http://gpu:8000", "LOCAL_EMBEDDING_MODEL": "bge-large-en"}
ALL = {**AZURE, **OPENAI, **TOGETHER, **LOCAL}
SMALL, LARGE, ADA = "text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002"
E5 = "intfloat/multilingual-e5-large-instruct"
CATALOG = load()


def planner(environ=None, catalog: Catalog = CATALOG):
    registry = Registry()
    config = settings.load(registry.declared(), environ=ALL if environ is None else environ)
    registry.connect(config.accounts, Transport())
    return Planner(registry, catalog, config)


def plan(environ=None, *, body=None, catalog: Catalog = CATALOG, **options):
    body = {"input": "Hello", **(body or {})}
    request = Request(Capability.EMBED, body, Options(**options), embed_facts(body))
    return planner(environ, catalog).plan(request)


def chain(*given, **options):
    return [str(one.target) for one in plan(*given, **options).candidates]


def why(found):
    return {str(one.target): one.code for one in found.excluded}


def status(found):
    return NoTarget(found.excluded).status


class TestDefaults:
    def test_the_default_model_has_two_providers(self):
        assert chain() == [f"azure/{SMALL}", f"openai/{SMALL}"]
        assert plan().warnings == ()
        assert why(plan())[f"together/{E5}"] == "vector_space"

    @pytest.mark.parametrize("keys", [OPENAI, {**OPENAI, **TOGETHER}, {**OPENAI, **LOCAL}])
    def test_one_of_them_is_enough_and_goes_before_who_has_another_model(self, keys):
        assert chain(keys) == [f"openai/{SMALL}"]
        assert plan(keys).warnings == ()

    @pytest.mark.parametrize(
        ("keys", "target"),
        [(TOGETHER, f"together/{E5}"), ({**TOGETHER, **LOCAL}, f"together/{E5}")],
    )
    def test_where_nobody_has_it_the_first_who_has_another_gives_his_and_says_so(self, keys, target):
        found = plan(keys)
        assert [str(one.target) for one in found.candidates] == [target]
        (warning,) = found.warnings
        assert SMALL in warning and target in warning

    def test_nobody_is_a_503_with_what_to_set(self):
        found = plan({})
        assert found.candidates == () and status(found) == 503
        assert "OPENAI_API_KEY" in NoTarget(found.excluded).message
        assert {one.code for one in found.excluded} == {"not_configured"}

    def test_who_has_no_default_says_which_setting_gives_one(self):
        found = plan({"LOCAL_BASE_URL": "http://gpu:8000", "LOCAL_LLM_MODEL": "llama"})
        reasons = {one.target.provider: one.reason for one in found.excluded}
        assert reasons["local"] == "no default model: set LOCAL_EMBEDDING_MODEL or name one"

    def test_the_chat_model_of_an_account_is_not_its_embedding_model(self):
        assert chain({**AZURE, "AZURE_OPENAI_DEPLOYMENT": "my-gpt", "OPENAI_MODEL": "gpt-6-luna"}) == [
            f"azure/{SMALL}"
        ]

    @pytest.mark.parametrize("name", ["AZURE_OPENAI_EMBEDDING_DEPLOYMENT", "AZURE_EMBEDDING_MODEL"])
    def test_an_account_can_have_its_own(self, name):
        found = plan({**ALL, name: LARGE})
        assert [str(one.target) for one in found.candidates] == [f"azure/{LARGE}", f"openai/{LARGE}"]
        assert found.warnings == ()


class TestFirst:
    @pytest.mark.parametrize(
        "environ",
        [{"EMBEDDING_PROVIDER": "openai"}, {"LLM_PROVIDER": "openai"}, {"OPENAI_PRIORITY": "1"}],
    )
    def test_configuration_says_who_goes_first(self, environ):
        assert chain({**ALL, **environ}) == [f"openai/{SMALL}", f"azure/{SMALL}"]

    def test_whose_model_then_answers(self):
        found = plan({**ALL, "EMBEDDING_PROVIDER": "together", "LLM_PROVIDER": "openai"})
        assert [str(one.target) for one in found.candidates] == [f"together/{E5}"]
        assert found.warnings == ()

    def test_llm_provider_does_not_change_whose_vectors_are_stored(self):
        assert chain({**ALL, "LLM_PROVIDER": "together"}) == chain()
        assert chain({**OPENAI, **TOGETHER, "LLM_PROVIDER": "together"}) == [f"openai/{SMALL}"]
        named = {**AZURE, **OPENAI, "AZURE_OPENAI_EMBEDDING_DEPLOYMENT": "mine"}  # nobody knows what that is
        assert chain({**named, "LLM_PROVIDER": "openai"}) == chain(named) == ["azure/mine"]
        assert chain({**named, "LLM_PROVIDER": "azure"}) == ["azure/mine"]

    def test_llm_provider_leads_where_nobody_has_the_default_model(self):
        found = plan({**TOGETHER, **LOCAL, "LLM_PROVIDER": "local"})
        assert [str(one.target) for one in found.candidates] == ["local/bge-large-en"]
        assert plan({**TOGETHER, "LLM_PROVIDER": "together"}).warnings != ()

    def test_other_vectors_than_the_default_ones_are_said(self):
        found = plan({**ALL, "TOGETHER_PRIORITY": "1"})
        assert [str(one.target) for one in found.candidates] == [f"together/{E5}"]
        (warning,) = found.warnings
        assert "EMBEDDING_MODEL" in warning and "nobody" not in warning

    def test_a_first_provider_without_embeddings_changes_nothing(self):
        assert chain({**ALL, "LLM_PROVIDER": "groq", "GROQ_API_KEY": "g"}) == chain()

    def test_the_own_gpu_tier_leads_when_it_is_switched_on(self):
        assert chain({**ALL, "LOCAL_MODELS_ENABLED": "true"}) == ["local/bge-large-en"]

    def test_a_request_says_it_for_itself(self):
        assert chain(provider="openai") == [f"openai/{SMALL}", f"azure/{SMALL}"]
        assert chain(provider="together") == [f"together/{E5}"]
        assert chain(model="together/auto") == [f"together/{E5}"]

    def test_a_provider_that_was_named_decides_though_it_is_not_set_up(self):
        found = plan(OPENAI, provider="together")
        assert found.candidates == () and status(found) == 503
        assert why(found)[f"openai/{SMALL}"] == "vector_space"
        assert chain(OPENAI, provider="azure") == [f"openai/{SMALL}"]

    def test_who_has_no_embeddings_is_said_to_have_none(self):
        found = plan(provider="groq")
        assert found.excluded[0].reason == "Groq has no embeddings in this version"
        assert status(plan(model="groq/some", fallback=False)) == 400

    @pytest.mark.parametrize("name", [LARGE, f"openai/{LARGE}"])
    def test_one_setting_names_the_model_for_all(self, name):
        assert set(chain({**ALL, "EMBEDDING_MODEL": name})) == {f"azure/{LARGE}", f"openai/{LARGE}"}
        assert plan({**ALL, "EMBEDDING_MODEL": name}).warnings == ()

    def test_which_a_request_overrules(self):
        environ = {**ALL, "EMBEDDING_MODEL": LARGE}
        assert chain(environ, model=SMALL) == [f"azure/{SMALL}", f"openai/{SMALL}"]
        assert chain(environ, provider="together") == [f"together/{E5}"]
        assert chain(environ, models=(f"openai/{SMALL}",)) == [f"openai/{SMALL}"]

    def test_and_it_is_not_given_up_for_another(self):
        found = plan({**TOGETHER, "EMBEDDING_MODEL": LARGE})
        assert found.candidates == () and status(found) == 503


class TestModels:
    def test_a_named_model_is_answered_by_who_has_it(self):
        assert chain(model=LARGE) == [f"azure/{LARGE}", f"openai/{LARGE}"]
        assert chain(model=f"openai/{LARGE}") == [f"openai/{LARGE}", f"azure/{LARGE}"]
        assert chain(model=LARGE, fallback=False) == [f"azure/{LARGE}"]
        assert chain(model=E5) == [f"together/{E5}"]

    def test_never_by_another_one(self):
        found = plan(OPENAI, model=E5)
        assert found.candidates == () and status(found) == 503
        assert set(why(found).values()) == {"not_configured", "vector_space"}

    def test_a_model_nobody_knows_is_only_like_itself(self):
        assert chain(model="openai/my-own") == ["openai/my-own"]
        with pytest.raises(NotFound):
            plan(model="my-own")

    def test_a_list_is_exact_whatever_vectors_that_mixes(self):
        assert chain(models=(f"openai/{LARGE}", E5, "azure/auto")) == [
            f"openai/{LARGE}", f"together/{E5}", f"azure/{SMALL}",
        ]  # fmt: skip
        spaces = [one.space for one in plan(models=(f"openai/{LARGE}", f"azure/{LARGE}", E5)).candidates]
        assert spaces == [LARGE, LARGE, E5]

    def test_a_model_for_chat_gives_no_vectors(self):
        with pytest.raises(BadRequest, match="openai/gpt-6-luna is a model for chat, not for embeddings"):
            plan(model="openai/gpt-6-luna")

    def test_one_model_under_two_names_is_one(self):
        known = merge(CATALOG, {"azure/mine": {"capability": "embed", "same_as": SMALL, "dimensions": 1536}})
        named = {**AZURE, **OPENAI, "AZURE_OPENAI_EMBEDDING_DEPLOYMENT": "mine"}
        assert chain(named, catalog=known) == ["azure/mine", f"openai/{SMALL}"]
        assert chain(named, catalog=known, model="openai/auto") == [f"openai/{SMALL}", "azure/mine"]
        assert chain(named, catalog=known, model="azure/mine") == ["azure/mine", f"openai/{SMALL}"]
        assert "azure/mine" in chain(named, catalog=known, model=SMALL)
        assert chain(named) == ["azure/mine"]  # without the entry nobody knows that

    def test_a_retired_model_has_no_successor_here(self):
        known = merge(CATALOG, {f"openai/{ADA}": {"lifecycle": "retired", "successor": SMALL}})
        found = plan(OPENAI, catalog=known, model=ADA)
        assert found.candidates == ()
        assert f"{SMALL} has other vectors" in NoTarget(found.excluded).message


class TestDimensions:
    @pytest.mark.parametrize("wanted", [1, 256, 1536])
    def test_who_can_shorten_is_asked_to(self, wanted):
        found = plan(body={"dimensions": wanted})
        assert [str(one.target) for one in found.candidates] == [f"azure/{SMALL}", f"openai/{SMALL}"]
        assert all("dimensions" not in one.drop for one in found.candidates)

    @pytest.mark.parametrize(
        ("model", "wanted", "said"),
        [(ADA, 256, "1536 dimensions, which cannot be shortened"), (SMALL, 1537, "1 to 1536"), (E5, 8, "1024")],
    )
    def test_who_cannot_is_left_out_with_the_reason(self, model, wanted, said):
        found = plan(model=model, body={"dimensions": wanted})
        assert found.candidates == () and status(found) == 400
        refused = NoTarget(found.excluded)
        assert refused.param == "dimensions" and said in refused.message

    def test_its_own_length_is_not_asked_for_but_had(self):
        found = plan(model=E5, body={"dimensions": 1024})
        (one,) = found.candidates
        assert one.drop == {"dimensions"} and one.warnings == ()

    def test_a_plan_is_not_another_lengths_plan(self):
        one = planner()
        bodies = [{"input": "x", "dimensions": size} for size in (8, 1536, 5000)]
        plans = [one.plan(Request(Capability.EMBED, body, Options(), embed_facts(body))) for body in bodies]
        assert [len(found.candidates) for found in plans] == [2, 2, 0]


class TestFits:
    def test_each_input_has_to_fit_not_all_together(self):
        words = "word " * 2_000
        assert chain(model=ADA, body={"input": [words] * 100})
        found = plan(model=ADA, body={"input": ["short", "word " * 20_000]})
        assert found.candidates == () and status(found) == 400
        error = NoTarget(found.excluded)
        assert error.param == "input[1]" and "input[1] does not fit" in error.message
        assert NoTarget(plan(model=ADA, body={"input": "word " * 20_000}).excluded).param == "input"

    def test_which_input_is_too_long_is_that_of_each_request(self):
        one = planner()
        for place in (7, 2, 7):
            body = {"input": ["word " * 20_000 if number == place else "short" for number in range(3001)]}
            found = one.plan(Request(Capability.EMBED, body, Options(model=ADA), embed_facts(body)))
            assert NoTarget(found.excluded).param == f"input[{place}]"

    @pytest.mark.parametrize(
        ("body", "most", "fits"),
        [
            ({"input": ["x"] * 400}, 6_000_000, False),
            ({"input": ["x"] * 400}, None, True),
            ({"input": ["x"] * 400, "encoding_format": "base64"}, 6_000_000, True),
            ({"input": ["x"] * 400, "dimensions": 512}, 6_000_000, True),
            ({"input": ["x"] * 100}, 6_000_000, True),
            ({"input": ["x"] * 4000, "encoding_format": "base64"}, 6_000_000, False),
        ],
    )
    def test_what_could_not_be_returned_is_not_asked_for(self, body, most, fits):
        request = Request(Capability.EMBED, body, Options(), embed_facts(body), most_bytes=most)
        one = planner()
        one.plan(request._replace(most_bytes=None))  # another room's plan is not this one's
        found = one.plan(request)
        assert bool(found.candidates) is fits
        if not fits:
            message = NoTarget(found.excluded).message
            assert "fewer inputs" in message and ("base64" in message) is ("encoding_format" not in body)
            assert message.count("fewer inputs") == 1, "one reason of several targets is said once"

    def test_ids_of_tokens_go_to_who_has_that_models_tokens(self):
        assert chain(body={"input": [1, 2, 3]}) == chain()
        found = plan(TOGETHER, body={"input": [1, 2, 3]})
        assert found.candidates == () and "tokens" in NoTarget(found.excluded).message

    def test_what_a_provider_does_not_take_is_dropped_with_a_word_or_refused(self):
        (first, _) = plan(body={"input_type": "query"}).candidates
        assert first.drop == {"input_type"} and "input_type was not sent" in first.warnings[0]
        assert status(plan(body={"input_type": "query"}, compatibility="strict")) == 400

    def test_max_cost_counts_all_inputs(self):
        assert chain(body={"input": ["word " * 100] * 10}, max_cost=0.0001)
        found = plan(body={"input": ["word " * 100] * 1000}, max_cost=0.0001)
        assert found.candidates == () and status(found) == 400
        words = NoTarget(plan(max_cost=0).excluded).message
        assert "may cost up to 0.00000008 USD; send fewer inputs or raise max_cost" in words
        assert "max_tokens" not in words
        assert chain(LOCAL, body={"input": ["word " * 100] * 1000}, max_cost=0) == ["local/bge-large-en"]
