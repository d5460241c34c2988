"""Decides who may answer, in which order, and why nobody else may. Pure: no clock, no I/O."""

from bisect import bisect_left
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from core.cache.key import has_sound
from core.capabilities import NOUNS, Capability, Feature
from core.config.catalog import SAMPLING_PARAMS, Catalog, Model
from core.config.prices import DAY
from core.config.settings import Account, Settings
from core.errors import BadRequest
from core.providers.registry import Registry
from core.providers.row import Row
from core.routing import ageing, means, sound, thoughts
from core.routing.chains import AUTO, Chains
from core.routing.choices import Choice, Choices, dimensions_of, serves
from core.routing.costs import Costs
from core.routing.exclusions import Exclusions, surely
from core.routing.images import Limits
from core.routing.params import Params
from core.routing.spaces import Space
from core.routing.strategies import BY_COST, STRATEGIES
from core.routing.wishes import Wish, Wishes
from core.types.plan import Candidate, Exclusion, Plan
from core.types.request import Facts, Options, Request
from core.types.target import Place, Target

if TYPE_CHECKING:  # loaded when somebody asks for speech
    from core.config.voices import Voices
    from core.routing.casting import Casting

POLICY = "3"  # rises when the same request, settings and snapshot may give another plan
_HEARS = frozenset({Capability.TRANSCRIBE, Capability.DIARIZE})
_MAX_PLANS = 1024
_LAST = 10_001  # behind every priority
_LIKELY = Facts(input_tokens=1000, max_output=1000)  # to compare costs where a request does not say its sizes
_ANY = Wish("", None, "")


class _Question(NamedTuple):
    """All that a plan depends on beside configuration; equal questions have equal plans."""

    capability: Capability
    options: Options
    features: frozenset[Feature]
    unknown_params: frozenset[str]
    idle_params: frozenset[str]
    params: frozenset[str]
    reasons: bool
    thought: tuple[str, str, bool, bool] | None
    sound: bool
    hopped: bool  # it came through another gateway
    length: int
    dimensions: int | None
    day: int  # models retire and prices change at midnight
    cost: tuple[int, int | None, int] | None
    room: tuple[int, int, object] | None  # for vectors, where answers are limited
    dialect: str | None  # the one that the caller speaks, where it is not ours
    longest: int | None  # which input is the longest, where it may be too long
    native: tuple[str, frozenset[str], tuple[str, ...]] | None  # of the caller's own body: dialect, names, what binds
    defaults: tuple[tuple[str, Any], ...]  # of the route
    as_object: bool
    images: tuple[int, int, frozenset[str]] | None  # whose limits they are within, and what is given as data
    heard: tuple[Any, ...]  # how long and how large, of what kind, in whose voice and which language
    purpose: str


class Planner:
    """Plans are memoised: what varies from request to request seldom changes who may answer."""

    def __init__(self, registry: Registry, catalog: Catalog, settings: Settings) -> None:
        self._registry = registry
        self._catalog = catalog
        self._settings = settings
        self._wishes = Wishes(registry, catalog)
        self._choices = Choices(catalog)
        self._chains = Chains(registry, settings)
        self._contexts = sorted(catalog.contexts)
        self._images = Limits(row.images for row in registry.rows.values())
        rows = [one for row in registry.rows.values() for one in (row, row.by_command, *row.services.values()) if one]
        self._delicate = SAMPLING_PARAMS.union(*(row.lacks_params for row in rows))
        self.costs = Costs(registry, catalog, settings)
        self.params = Params(registry, catalog)
        self._exclusions = Exclusions(registry, settings, self.costs, self.params)
        self._plans: dict[_Question, Plan] = {}
        self._voices: Voices | None = None  # until somebody asks for speech

    def plan(self, request: Request, at: float = 0.0) -> Plan:
        """Who is to be tried that day, in order; raises when the caller named what is not there."""
        options, facts, native, day = request.options, request.facts, request.native, int(at // DAY)
        by_cost = self.costs.cap(options) is not None or (options.strategy or self._settings.strategy) in BY_COST
        length = bisect_left(self._contexts, surely(facts))
        most, encoding = request.most_bytes, request.body.get("encoding_format")
        question = _Question(
            request.capability,
            options,
            facts.features,
            facts.unknown_params,
            facts.idle_params & self._delicate,
            facts.params & self._delicate,
            request.body.get("reasoning_effort") != "none",
            thoughts.key_of(request.body),
            has_sound(request.body),
            request.hop > 0,
            length,
            dimensions_of(request),
            day,
            (facts.input_tokens, facts.max_output, facts.answers) if by_cost else None,
            (facts.inputs, most, encoding) if facts.inputs and most is not None else None,
            request.native and request.native.dialect,
            facts.longest_at if length else None,
            native and (native.dialect, frozenset(native.body), native.bound),
            request.defaults,
            facts.as_object,
            self._images.around(facts) if facts.images else None,
            () if request.capability is Capability.CHAT else self._heard(request, by_cost=by_cost),
            request.purpose,
        )
        plan = self._plans.get(question)
        if plan is None:
            if len(self._plans) >= _MAX_PLANS:
                self._plans.pop(next(iter(self._plans)))
            plan = self._plans[question] = self._decide(request, float(day * DAY))
        return plan

    def _heard(self, request: Request, *, by_cost: bool) -> tuple[Any, ...]:
        facts = request.facts
        return (
            facts.audio_ms, facts.audio_bytes, facts.audio_kind, facts.characters if by_cost else 0, facts.voice,
            facts.language, *_manner(request), *self._haste(request),
        )  # fmt: skip

    def _decide(self, request: Request, at: float) -> Plan:
        options = request.options
        strategy = self._strategy(options.strategy, request.capability)
        candidates: dict[Target, Candidate] = {}
        excluded: dict[Target, Exclusion] = {}
        seen: dict[Any, Target] = {}  # whoever shares another's key and address would fail with him
        falls_back = self._falls_back(options)
        named = None if options.models else self._wishes.place_of(options)
        chain = self._places(request, strategy, at, named)
        space: Space | None = None  # of embeddings: whoever comes first decides for all
        warnings = self._warnings(request)
        dialect = request.native and request.native.dialect
        wishes = self._wishes.of(self._preset(request), chain, strategy, falls_back=falls_back, dialect=dialect)
        for wish in wishes:
            for account, way in self._ways_of(wish, request.capability):
                row = self._registry.rows[wish.provider].of(account, way)
                choice = self._choices.of(row, account, request, wish, at, space)
                target = choice.target
                self._check_named(wish, choice, request)
                if target in candidates or target in excluded:
                    continue
                unready = self._exclusions.unready(row, account, target, request.capability, way)
                if space is None and self._decides(request, wish, choice, unready):
                    space = choice.space
                    warnings += self._unusual(wish, account, choice)
                refusal = unready or self._exclusions.refusal(row, choice, request, at, space, way)
                same = row.identity(account, target.model)
                if refusal is None and same in seen:
                    refusal = Exclusion(target, "same", f"has the key and the address of {seen[same]}")
                spoken = None if refusal is not None else self._spoken(target, account, wish, request, row)
                if refusal is not None:
                    excluded[target] = refusal
                elif isinstance(spoken, Exclusion):
                    excluded[target] = spoken
                else:
                    made = self._candidate(choice, wish, request, at, way)
                    candidates[target] = made if spoken is None else _voiced(made, spoken)
                    seen |= {} if same is None else {same: target}
        chosen = tuple(candidates.values())
        if not falls_back:
            chosen, spare = chosen[:1], chosen[1:]
            excluded |= {one.target: Exclusion(one.target, "strict", "fallback is off") for one in spare}
        if request.capability in _HEARS:
            chosen, late = sound.in_time(chosen, partial(self._known, request), request, self._times(request))
            excluded |= {one.target: one for one in late}
        return Plan(request.capability, strategy, POLICY, chosen, tuple(excluded.values()), warnings, named)

    def _known(self, request: Request, candidate: Candidate) -> tuple[Row, Model | None]:
        target = candidate.target
        row = self._registry.row(target.provider, target.account, candidate.asks or request.capability)
        return row, self._catalog.find(target.provider, target.model)

    def _times(self, request: Request) -> sound.Times:
        allowed = self._settings.total_timeout
        if request.allowed is not None:
            allowed = min(allowed, request.allowed)
        asked = request.timeout or allowed
        return sound.Times(min(allowed, asked), self._settings.answer_timeout, by_caller=asked < allowed)

    def _haste(self, request: Request) -> tuple[object, ...]:
        return sound.manner(request, self._times(request)) if request.capability in _HEARS else ()

    def chain(self, capability: Capability, strategy: str | None = None, purpose: str = "") -> list[Place]:
        """The accounts that could answer, in the order of the strategy."""
        request = Request(capability, {}, facts=_LIKELY, purpose=purpose)
        places = self._places(request, self._strategy(strategy, capability), 0.0)
        found: list[Place] = []
        seen: set[Any] = set()
        for place in places:
            for one in self._registry.accounts(place.provider):
                offers = self._offers(place, one, capability) if one.name == place.account else set()
                if not offers <= seen:
                    found.append(place)
                seen |= offers
        return found

    def _offers(self, place: Place, account: Account, capability: Capability) -> set[Any]:
        """What it could be asked as; equal for accounts that share a service."""
        row, ready = self._registry.rows[place.provider], self._registry.is_ready
        ways = [one for one in row.ways(capability) if ready(place.provider, account, one, alone=True)]
        return {(way, row.of(account, way).identity(account, account.model_for(way)) or place) for way in ways}

    def _places(self, request: Request, strategy: str, at: float, named: Place | None = None) -> list[Place]:
        def cost(place: Place, account: Account) -> int | None:
            row = self._registry.rows[place.provider].of(account, request.capability)
            choice = self._choices.of(row, account, request, _ANY, at, None)
            output = request.facts.max_output or account.max_tokens or _LIKELY.max_output
            return self.costs.estimate(choice.target, request.facts._replace(max_output=output), at)

        def vectors(place: Place, account: Account) -> str:
            choice = self._choices.of(self._registry.rows[place.provider], account, request, _ANY, at, None)
            return choice.space.model if choice.target.model else ""

        options = self._preset(request)
        by_chain = request.capability is Capability.EMBED and not options.models and options.model in {None, AUTO}
        whose = vectors if by_chain and named is None else None
        order = self._chains.order(
            request.capability, strategy, cost, named=named, vectors=whose, purpose=request.purpose
        )
        return self._owners_first(request, order)

    def _ways_of(self, wish: Wish, capability: Capability) -> Iterator[tuple[Account, Capability]]:
        """Whose accounts are asked, and as what: for a translation the service that is made for it before a chat."""
        ways = self._registry.rows[wish.provider].ways(capability) or (capability,)
        if len(ways) > 1 and wish.model is not None:
            known = self._catalog.find(wish.provider, wish.model)
            ways = (capability,) if known is not None and known.capability == capability else ways[1:]
        for account in self._accounts_of(wish):
            for way in ways:
                yield account, way

    def _spoken(
        self, target: Target, account: Account, wish: Wish, request: Request, row: Row
    ) -> "Casting | Exclusion | None":
        """Whose voice says it there, and what should be known of that; None where nothing is said."""
        if request.capability is not Capability.SPEAK:
            return None
        from core.routing.casting import casting  # noqa: PLC0415 - few requests are for speech

        return casting(self.voices, target, request, row, usual=account.voice, named=wish.named)

    @property
    def voices(self) -> "Voices":
        if self._voices is None:
            from core.config import voices  # noqa: PLC0415 - few requests are for speech

            self._voices = voices.load(self._settings.voices)
        return self._voices

    def _owners_first(self, request: Request, places: list[Place]) -> list[Place]:
        """Who has a voice of his own that is wanted by its name, where neither caller nor operator says who speaks."""
        options, names = request.options, (request.facts.voice, *request.facts.voices)
        asked = options.provider or options.models or options.strategy or options.model not in {None, AUTO}
        chosen = self._settings.chain_for(Capability.SPEAK) or self._settings.chosen_for(Capability.SPEAK)
        name = next(filter(None, names), "")
        if request.capability is not Capability.SPEAK or not name or asked or chosen:
            return places
        from core.routing.casting import is_owner  # noqa: PLC0415 - as above

        def is_its(place: Place) -> bool:
            account = next(one for one in self._registry.accounts(place.provider) if place.account in {None, one.name})
            row = self._registry.rows[place.provider].of(account, Capability.SPEAK)
            choice = self._choices.of(row, account, request, _ANY, 0.0, None)
            return is_owner(self.voices, place.provider, choice.target.model, name)

        return sorted(places, key=lambda place: not is_its(place))

    def _accounts_of(self, wish: Wish) -> list[Account]:
        found = [one for one in self._registry.accounts(wish.provider) if wish.account in {None, one.name}]
        return sorted(found, key=lambda one: _LAST if one.priority is None else one.priority)

    def _preset(self, request: Request) -> Options:
        """The caller's options, with the embedding model that configuration names where the caller names nothing."""
        options, preset = request.options, self._settings.embedding_model
        if request.capability is not Capability.EMBED or preset is None or options.models:
            return options
        if options.provider is not None or options.model not in {None, AUTO}:
            return options
        return options._replace(model=preset)

    @staticmethod
    def _check_named(wish: Wish, choice: Choice, request: Request) -> None:
        """Who names a model for something else would not want another model's answer."""
        model, options = choice.model, request.options
        if not (wish.named and wish.model and options.model) or options.models or model is None:
            return
        if not serves(model, request.capability):
            words = f"{options.model} is a model for {NOUNS[model.capability]}, not for {NOUNS[request.capability]}"
            raise BadRequest(f"{words}. Name another one.", param="model", code="wrong_capability")

    @staticmethod
    def _decides(request: Request, wish: Wish, choice: Choice, unready: Exclusion | None) -> bool:
        """Whether this is the target in whose space all others have to be. A list of models has no such bounds."""
        if request.capability is not Capability.EMBED or request.options.models or not choice.target.model:
            return False
        return unready is None or (wish.named and unready.code != "capability")

    def _unusual(self, wish: Wish, account: Account, choice: Choice) -> tuple[str, ...]:
        """A model that nobody chose, and that is not the one which documentation names."""
        common, target = self._chains.common(Capability.EMBED), choice.target
        name = self._settings.chosen_for(Capability.EMBED)
        first = self._registry.place(name) if name else None
        ours = first is not None and first.covers(Place(target.provider, target.account))
        chosen = account.embedding_model or account.first or ours or self._settings.chain_for(Capability.EMBED)
        if wish.named or chosen or common in {None, choice.space.model}:
            return ()
        words = f"embeddings are those of {target}, and comparable with no other model's"
        if self._is_there(str(common)):
            return (f"{words}, not those of {common}: set EMBEDDING_MODEL or EMBEDDING_PROVIDER to choose",)
        return (f"nobody here has {common}: {words}",)

    def _is_there(self, model: str) -> bool:
        """Whether somebody who could answer has it as his embedding model."""
        return any(
            model == (one.embedding_model or row.default_models.get(Capability.EMBED))
            and self._registry.is_ready(row.name, one, Capability.EMBED)
            for row in self._registry.offering(Capability.EMBED)
            for one in self._registry.accounts(row.name)
        )

    def _strategy(self, asked: str | None, capability: Capability) -> str:
        """As asked, else as configured; a chain that was written down is only reordered for who asks for that."""
        if asked is not None and asked not in STRATEGIES:
            known = ", ".join(STRATEGIES)
            raise BadRequest(
                f"strategy {asked!r} is not known; known: {known}", param="strategy", code="invalid_value"
            )
        if asked is None and self._settings.chain_for(capability):
            return "fallback"
        return asked or self._settings.strategy

    def _falls_back(self, options: Options) -> bool:
        return options.fallback and self._settings.enable_fallback

    def _candidate(self, choice: Choice, wish: Wish, request: Request, at: float, way: Capability) -> Candidate:
        target, room = choice.target, self.costs.room(choice.target, request, at)
        dropped, thought = self.params.dropped_of(target, request, way), self.params.thought(target, request)
        unsaid = dropped - {thoughts.NAME} if thought else dropped
        warnings = tuple(f"{name} was not sent: {target} does not take it" for name in sorted(unsaid))
        if thought is not None:
            dropped |= {thoughts.NAME}
            warnings += (thought.warning,) if thought.warning else ()
        if room is not None:
            warnings += (f"max_cost leaves an answer of {target} at most {room} tokens",)
        row = self._registry.row(target.provider, target.account, way)
        chosen = means.means_at(row, target, choice.model, request)
        warnings += means.warnings(chosen, target, request)
        dropped |= request.facts.idle_params & self.params.lacks(target, request.body.get("reasoning_effort"))
        if chosen == "tool":
            dropped |= self.params.dropped(target, means.A_FUNCTION, None)
        instead_of = None if choice.retired is None else choice.retired.id
        space = ""
        if request.capability is Capability.EMBED:
            space = choice.space.model
            if choice.model is not None and choice.model.min_dimensions is None:
                dropped |= request.facts.params & {"dimensions"}  # it is what the model has anyway
        blind = _in_place_of(choice, request)
        return Candidate(
            target,
            (wish.reason, *means.reasons(chosen), *blind),
            dropped,
            (*ageing.told(choice), *warnings),
            instead_of,
            defaults=self._defaults(choice, request, room) + _effort(thought),
            space=space,
            means=chosen,
            asks=None if way is request.capability else way,
        )

    def _defaults(self, choice: Choice, request: Request, room: int | None) -> tuple[tuple[str, Any], ...]:
        """What the account or the route sets and the cap leaves for chats that name none, where it is taken."""
        if request.capability is not Capability.CHAT:
            return ()
        target, account, most = (
            choice.target,
            self._registry.account(*choice.target[:2]),
            choice.model and choice.model.max_output,
        )
        given = {**dict(request.defaults), **_set(account)}
        length = given.get("max_tokens") if room is None else room
        given["max_tokens"] = min(length, most) if length and most else length
        facts = Facts(params=frozenset(name for name, value in given.items() if value is not None))
        refused = self.params.dropped(target, facts, request.body.get("reasoning_effort"))
        return tuple((name, given[name]) for name in sorted(facts.params - refused))

    def _warnings(self, request: Request) -> tuple[str, ...]:
        warnings, options = [], request.options
        if options.cache not in {None, "off"}:
            if not self._settings.cache:
                warnings.append(f"cache={options.cache} had no effect: PATCHBAY_CACHE is off")
            elif request.hop:
                warnings.append(f"cache={options.cache} had no effect: the request came through another gateway")
            elif has_sound(request.body):
                warnings.append(f"cache={options.cache} had no effect: answers with modalities or audio are not kept")
        if options.models and options.model:
            warnings.append("model had no effect: models is an exact list")
        return tuple(warnings)


def _manner(request: Request) -> tuple[Any, ...]:
    """How something is to be said."""
    if request.capability is not Capability.SPEAK:
        return ()
    facts = request.facts
    return request.body.get("gender"), request.body.get("style"), facts.voices, facts.own_voice


def _voiced(made: Candidate, spoken: "Casting") -> Candidate:
    return made._replace(voice=spoken.voice, voices=spoken.voices, warnings=(*made.warnings, *spoken.warnings))


def _in_place_of(choice: Choice, request: Request) -> tuple[str, ...]:
    if choice.blind is None:
        return ()
    lacks = sorted(request.facts.features - choice.blind.features)
    what = "takes no images" if Feature.VISION in lacks else f"has no {' and no '.join(lacks)}"
    return (f"in place of {choice.blind.id}, which {what}",)


def _effort(thought: thoughts.Thought | None) -> tuple[tuple[str, Any], ...]:
    return (("reasoning_effort", thought.effort),) if thought and thought.effort else ()


def _set(account: Account) -> dict[str, Any]:
    """What an account sets for chats that do not name it themselves."""
    values = {"max_tokens": account.max_tokens, "temperature": account.temperature}
    return {name: value for name, value in values.items() if value is not None}
