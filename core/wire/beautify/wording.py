"""What a check of words must know of languages: fillers, negations, numbers and days in words. Pure."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

_SAMPLE = 20_000  # characters that say which language it is
_LONGEST_TAG = 3
_CERTAIN = 2  # of its commonest words, and twice as many as of any other language


class Language(NamedTuple):
    """Words in small letters."""

    fillers: tuple[str, ...] = ()
    negations: frozenset[str] = frozenset()
    common: frozenset[str] = frozenset()
    numbers: Mapping[str, int] = {}
    dates: frozenset[str] = frozenset()
    points: bool = False  # 1,000.5, not 1.000,5
    nouns: bool = False  # all nouns have a capital letter
    starters: frozenset[str] = frozenset()  # what sentences of a summary begin with and no name does


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _numbers(text: str) -> dict[str, int]:
    """From 0 on; where a number has several words, they stand with strokes between them."""
    units, _, tens = text.partition(" | ")
    found = {word: value for value, one in enumerate(units.split()) for word in one.split("/")}
    return found | {word: 10 * value for value, one in enumerate(tens.split(), 2) for word in one.split("/")}


# What is no word of any larger language: "um" is a number in one, "er" a person in another.
_SOUNDS = (
    "uh", "uhh", "uhm", "umm", "ummm", "erm", "hm", "hmm", "mmm", "äh", "ähm", "öh", "öhm", "euh", "euhm", "ehm",
)  # fmt: skip
UNKNOWN = Language(_SOUNDS)

LANGUAGES: Mapping[str, Language] = {
    "en": Language(
        (*_SOUNDS, "um", "er", "ah", "uhhh"),
        _words("not no never none nobody nothing nowhere neither nor without cannot cant dont wont isnt doesnt t"),
        _words(
            "the and of to is that it we you was are this have with for on not be they but what will from do i at by"
            " our me there can so my"
        ),
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
        starters=_words(
            "a about according action actions add additional additionally after afterwards agree all also"
            " although an and another any approve arrange as ask assign at attendees based because before begin"
            " being besides both bring but buy by call change check clarify clean collect come complete concerns"
            " confirm consider contact contains continue conversation coordinate create decide decision"
            " decisions define deliver describes despite determine develop discuss discussion distribute do"
            " document draft due during each either email ensure establish evaluate even every everybody"
            " everyone everything examine explain extend few fewer file final finally find finish fix follow"
            " following for from further furthermore gather get give given go group had has have he hence her"
            " here his hold how however identify if implement in include inform initial instead investigate"
            " invite it items its join keep key last later launch learn let list look main maintain make manage"
            " many meanwhile meet meeting members monitor more moreover most move much my need neither next no"
            " nobody none nor not note nothing notify now of on once one only open or order organize other"
            " others our outline over overall participants pay people plan points prepare present proceed"
            " produce provide publish put question questions raise reach read recommend record reduce regarding"
            " remove repeat replace report request research resolve respond return review revise run schedule"
            " see send set several share she should show since so some somebody someone speaker speakers start"
            " stop submit such suggest summarize summary support take talk team tell test text than that the"
            " their then there therefore these they this those though three through thus to together track try"
            " turn two under understand unless until update upon use verify via visit wait was we were what when"
            " whenever where whereas whether which while who whoever whole why will with within without work"
            " would write yes yet you your"
        ),
    ),
    "de": Language(
        (*_SOUNDS, "hmmm", "ähh", "ääh"),
        _words("nicht kein keine keinen keinem keiner nie niemals niemand nichts ohne weder nein"),
        _words("der die und das ist nicht ein eine wir ich es zu den mit sich auf für von dass auch haben wird"),
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
    ),
    "fr": Language(
        (*_SOUNDS, "heu", "heuu", "hum"),
        _words("ne pas non jamais aucun aucune rien personne sans ni n"),
        _words("le la les et est de des que un une nous vous pas pour dans il elle ce qui sur avec mais sont"),
        _numbers(
            "zéro un/une deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize"
            " | vingt trente quarante cinquante soixante septante huitante nonante cent"
        )
        | {"mille": 1000, "million": 1_000_000},
        _words(
            "janvier février mars avril mai juin juillet août septembre octobre novembre décembre lundi mardi mercredi"
            " jeudi vendredi samedi dimanche demain hier"
        ),
    ),
    "es": Language(
        (*_SOUNDS, "eh", "em", "emm", "mm"),
        _words("no nunca jamás ningún ninguna ninguno nada nadie sin ni tampoco"),
        _words("el la los las y es de que en un una por con para no se lo como pero más está son muy"),
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
    ),
    "it": Language(
        (*_SOUNDS, "mmh", "mh"),
        _words("non no mai nessuno nessuna nulla niente senza né neanche"),
        _words("il lo la gli e è di che un una per con non si sono come ma più questo anche della"),
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
    ),
    "pt": Language(
        (*_SOUNDS, "ahn", "hã", "ãh"),
        _words("não nunca jamais nenhum nenhuma nada ninguém sem nem"),
        _words("o os e é de que em um uma por com para não se como mas mais está são muito nós você"),
        _numbers(
            "zero um/uma dois/duas três quatro cinco seis sete oito nove dez onze doze treze catorze quinze dezesseis"
            " dezessete dezoito dezenove | vinte trinta quarenta cinquenta sessenta setenta oitenta noventa cem/cento"
        )
        | {"mil": 1000, "milhão": 1_000_000},
        _words(
            "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro segunda-feira"
            " terça-feira quarta-feira quinta-feira sexta-feira sábado domingo amanhã ontem hoje"
        ),
    ),
    "nl": Language(
        (*_SOUNDS, "eh", "uhhh"),
        _words("niet geen nooit niemand niets nergens zonder nee noch"),
        _words("de het een en is van dat we je niet op te met voor zijn er maar ook aan wordt naar"),
        _numbers(
            "nul een/één twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien zestien"
            " zeventien achttien negentien | twintig dertig veertig vijftig zestig zeventig tachtig negentig honderd"
        )
        | {"duizend": 1000, "miljoen": 1_000_000},
        _words(
            "januari februari maart april mei juni juli augustus september oktober november december maandag dinsdag"
            " woensdag donderdag vrijdag zaterdag zondag vandaag morgen gisteren"
        ),
    ),
    "ru": Language(("э", "ээ", "эээ", "эм", "ммм", "гм"), _words("не нет ни никогда никто ничего без")),
    "pl": Language(("yyy", "yy", "eee", "ee", "hm", "hmm"), _words("nie nigdy nikt nic bez ani żaden żadna")),
    "ko": Language(("음", "으음", "어어"), _words("안 못 없다 아니다")),
    "zh": Language(("嗯", "呃", "额"), _words("不 没 无 非 别 未"), points=True),
    "ja": Language(("えーと", "えっと", "ええと", "えー", "うーん", "あのー"), _words("ない ず ぬ"), points=True),
}


def language_of(code: str | None, text: str) -> Language:
    """By its code, else (some say its name) by the words it uses."""
    tag = re.split(r"[-_]", (code or "").lower())[0]
    if 0 < len(tag) <= _LONGEST_TAG:
        return LANGUAGES.get(tag, UNKNOWN)
    used = Counter(re.findall(r"[^\W\d_]+", text[:_SAMPLE].lower()))
    counts = sorted(
        ((sum(used[word] for word in one.common), name) for name, one in LANGUAGES.items() if one.common), reverse=True
    )
    (most, name), (second, _) = counts[:2]
    return LANGUAGES[name] if most >= _CERTAIN and most >= 2 * second else _by_script(text[:_SAMPLE])


def _by_script(text: str) -> Language:
    for name, letters in (("ja", "[\u3040-\u30ff]"), ("zh", "[\u4e00-\u9fff]"), ("ko", "[\uac00-\ud7af]")):
        if re.search(letters, text):
            return LANGUAGES[name]
    return UNKNOWN
