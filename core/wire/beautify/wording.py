"""What a check of words must know of languages: fillers, negations, numbers and days in words. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from core.languages import base_of
from core.wire import function_words

_SAMPLE = 20_000  # characters that say which language it is


class Language(NamedTuple):
    """Words in small letters."""

    fillers: tuple[str, ...] = ()
    negations: frozenset[str] = frozenset()
    numbers: Mapping[str, int] = {}
    dates: frozenset[str] = frozenset()
    points: bool | None = None  # 1,000.5, not 1.000,5; None where that is not known
    nouns: bool = False  # all nouns have a capital letter
    one_form: bool = False  # names have no cases
    ordinals: Mapping[str, int] = {}
    same: Mapping[str, str] = {}  # words that are written in two ways


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _numbers(text: str) -> dict[str, int]:
    """From 0 on; where a number has several words, they stand with strokes between them."""
    units, _, tens = text.partition(" | ")
    found = {word: value for value, one in enumerate(units.split()) for word in one.split("/")}
    return found | {word: 10 * value for value, one in enumerate(tens.split(), 2) for word in one.split("/")}


def _endings(text: str, endings: tuple[str, ...]) -> dict[str, int]:
    return {stem + ending: value for stem, value in _numbers(text).items() for ending in endings}


# What is no word of any larger language: "um" is a number in one, "er" a person in another.
_SOUNDS = (
    "uh", "uhh", "uhm", "umm", "ummm", "erm", "hm", "hmm", "mmm", "äh", "ähm", "öh", "öhm", "euh", "euhm", "ehm",
)  # fmt: skip
LANGUAGES: Mapping[str, Language] = {
    "en": Language(
        (*_SOUNDS, "um", "er", "ah", "uhhh"),
        _words("not no never none nobody nothing nowhere neither nor without cannot cant dont wont isnt doesnt t"),
        _numbers(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
            " seventeen eighteen nineteen | twenty thirty forty fifty sixty seventy eighty ninety hundred"
        )
        | {"thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000, "dozen": 12},
        _words(
            "january february april june july august september october november december monday tuesday wednesday"
            " thursday friday saturday sunday today tomorrow yesterday tonight"
        ),
        points=True,
        one_form=True,
        ordinals=_numbers(
            "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth"
            " fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth | twentieth thirtieth"
        ),
        same={"cannot": "can not", "okay": "ok", "alright": "all right"},
    ),
    "de": Language(
        (*_SOUNDS, "hmmm", "ähh", "ääh"),
        _words("nicht kein keine keinen keinem keiner nie niemals niemand nichts ohne weder nein"),
        _numbers(
            "null ein/eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn"
            " sechzehn siebzehn achtzehn neunzehn | zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"
            " hundert"
        )
        | {"tausend": 1000, "million": 1_000_000, "dutzend": 12},
        _words(
            "januar februar märz april mai juni juli august september oktober november dezember montag dienstag"
            " mittwoch donnerstag freitag samstag sonnabend sonntag heute gestern übermorgen"
        ),
        nouns=True,
        points=False,
        ordinals=_endings(
            "nullt erst zweit dritt viert fünft sechst siebt acht neunt zehnt elft zwölft dreizehnt vierzehnt"
            " fünfzehnt sechzehnt siebzehnt achtzehnt neunzehnt | zwanzigst dreißigst",
            ("e", "en", "er", "es", "em"),
        ),
    ),
    "fr": Language(
        (*_SOUNDS, "heu", "heuu", "hum"),
        _words("ne pas non jamais aucun aucune rien personne sans ni n"),
        _numbers(
            "zéro un/une deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize"
            " | vingt trente quarante cinquante soixante septante huitante nonante cent"
        )
        | {"mille": 1000, "million": 1_000_000},
        _words(
            "janvier février mars avril mai juin juillet août septembre octobre novembre décembre lundi mardi mercredi"
            " jeudi vendredi samedi dimanche demain hier"
        ),
        points=False,
    ),
    "es": Language(
        (*_SOUNDS, "eh", "em", "emm", "mm"),
        _words("no nunca jamás ningún ninguna ninguno nada nadie sin ni tampoco"),
        _numbers(
            "cero un/uno/una dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis"
            " diecisiete dieciocho diecinueve | veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa"
            " cien/ciento"
        )
        | {"mil": 1000, "millón": 1_000_000},
        _words(
            "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre lunes martes"
            " miércoles jueves viernes sábado domingo ayer"
        ),
        points=False,
    ),
    "it": Language(
        (*_SOUNDS, "mmh", "mh"),
        _words("non no mai nessuno nessuna nulla niente senza né neanche"),
        _numbers(
            "zero un/uno/una due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici"
            " quindici sedici diciassette diciotto diciannove | venti trenta quaranta cinquanta sessanta settanta"
            " ottanta novanta cento"
        )
        | {"mille": 1000, "milione": 1_000_000},
        _words(
            "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre lunedì"
            " martedì mercoledì giovedì venerdì sabato domenica domani ieri oggi"
        ),
        points=False,
    ),
    "pt": Language(
        (*_SOUNDS, "ahn", "hã", "ãh"),
        _words("não nunca jamais nenhum nenhuma nada ninguém sem nem"),
        _numbers(
            "zero um/uma dois/duas três quatro cinco seis sete oito nove dez onze doze treze catorze quinze dezesseis"
            " dezessete dezoito dezenove | vinte trinta quarenta cinquenta sessenta setenta oitenta noventa cem/cento"
        )
        | {"mil": 1000, "milhão": 1_000_000},
        _words(
            "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro segunda-feira"
            " terça-feira quarta-feira quinta-feira sexta-feira sábado domingo amanhã ontem hoje"
        ),
        points=False,
    ),
    "nl": Language(
        (*_SOUNDS, "eh", "uhhh"),
        _words("niet geen nooit niemand niets nergens zonder nee noch"),
        _numbers(
            "nul een/één twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien zestien"
            " zeventien achttien negentien | twintig dertig veertig vijftig zestig zeventig tachtig negentig honderd"
        )
        | {"duizend": 1000, "miljoen": 1_000_000},
        _words(
            "januari februari maart april mei juni juli augustus september oktober november december maandag dinsdag"
            " woensdag donderdag vrijdag zaterdag zondag vandaag morgen gisteren"
        ),
        points=False,
    ),
    "ru": Language(("э", "ээ", "эээ", "эм", "ммм", "гм"), _words("не нет ни никогда никто ничего без")),
    "pl": Language(("yyy", "yy", "eee", "ee", "hm", "hmm"), _words("nie nigdy nikt nic bez ani żaden żadna")),
    "ko": Language(("음", "으음", "어어"), _words("안 못 없다 아니다")),
    "zh": Language(("嗯", "呃", "额"), _words("不 没 无 非 别 未"), points=True),
    "ja": Language(("えーと", "えっと", "ええと", "えー", "うーん", "あのー"), _words("ない ず ぬ"), points=True),
}


def _any() -> Language:
    """Of a text whose language is not known: what counts in one counts; a number that is two is of no value."""
    values: dict[str, set[int]] = {}
    for one in LANGUAGES.values():
        for word, value in one.numbers.items():
            values.setdefault(word, set()).add(value)
    return Language(
        _SOUNDS,
        frozenset().union(*(one.negations for one in LANGUAGES.values())),
        {word: min(found) if len(found) == 1 else -1 for word, found in values.items()},
        frozenset().union(*(one.dates for one in LANGUAGES.values())),
    )


UNKNOWN = _any()


def language_of(code: str | None, text: str) -> Language:
    """By its code, else by the words it uses."""
    known = base_of(code) if code else function_words.language_of(text[:_SAMPLE])
    return LANGUAGES.get(known or "", UNKNOWN)
