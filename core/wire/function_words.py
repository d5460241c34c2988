"""The small words that a text in a language cannot do without, by which it is known. Pure.

Only such as are common and, as far as that can be, not also a word of a neighbour.
"""

import re
from functools import cache
from typing import Final

_LETTERS = re.compile(r"[^\W\d_]+")
_ENOUGH = 1.0  # a word of one language alone; a word of three counts as a third for each
_AHEAD = 1.5  # times as much as for any other
_BY_SCRIPT: Final = (("ja", "[\u3040-\u30ff]"), ("zh", "[\u4e00-\u9fff]"), ("ko", "[\uac00-\ud7af]"))
_WORDS: Final = {
    "en": "the of and to in is that it was for on are with as this be at have from or by but not what all"
    " were we when your can there an each which she do how their if will up other about out many then"
    " them these so some her would make like him into has two more no way could people my than been"
    " who its now did get may please you he they hello thank thanks yes good morning where here his"
    " our us over only very just also after before should",
    "de": "der die das und ist nicht ein eine einen einem einer zu den dem des von mit sich auf für im als"
    " auch es an werden aus er hat dass sie nach wird bei noch wie um so wenn sind war wir ich ihr"
    " mich dich uns euch oder aber nur vor durch kann mehr zum zur über keine kein haben sein ihre"
    " seine guten morgen danke bitte hallo ja nein wo hier sehr diese dieser dieses man was wer unter"
    " bis gegen schon ohne müssen soll jetzt",
    "fr": "le la les de d l à des et est une un du en que qui dans pour pas au sur ne se ce il elle plus par avec"
    " tout nous vous mais ou son ses leur leurs été être sont cette ces aux comme ont fait mon ma mes"
    " je tu à où très bien aussi bonjour merci oui non sans sous deux même ici si peut votre vos notre"
    " nos lui dont quand alors encore avoir",
    "es": "el la a los las de y que en un una es por con para no se lo su al del como más pero sus le ya o"
    " este sí porque esta entre cuando muy sin sobre también me hasta hay donde quien desde todo nos"
    " durante todos uno les ni contra otros ese eso ante ellos e esto mí antes algunos qué unos yo"
    " otro otras él tanto esa estos mucho hola gracias buenos días está son ser fue tiene usted aquí"
    " nuestro",
    "it": "il lo la i a gli le di e che in un una è per con non si da del della dei delle nel nella al alla sono"
    " come più ma anche ha mi ti ci vi suo sua loro questo questa quello essere stato hanno ho tutto"
    " tutti dove quando chi molto ciao grazie buongiorno sì qui bene solo se ogni dopo prima senza tra"
    " fra sul sulla dal dalla io tu lui lei noi",
    "pt": "o a os as de e que em um uma é para com não se por do da dos das no na nos nas ao mais mas como"
    " foi ele ela seu sua ou quando muito já eu também só pelo pela até isso entre era depois sem"
    " mesmo aos seus quem me esse eles você essa num nem às minha têm numa pelos elas olá obrigado bom"
    " dia está são ser tem aqui nosso onde isto",
    "nl": "de het een en van ik te dat die in is je niet zijn op aan met als voor er maar om hem dan zou wat"
    " mijn men dit zo door over ze zich bij ook tot heb naar haar kan nog mij wordt worden werd geen"
    " goed dank hallo ja nee deze uit heeft hebben waar hier wij jij u uw onze veel zeer moet omdat"
    " alleen iemand onder tegen",
    "sv": "och att det i en jag hon som han på den med var sig för så till är men ett om hade de av icke mig"
    " du henne då sin nu har inte hans honom skulle hennes där min man ej vid kunde något från ut när"
    " efter upp vi dem vara vad över än dig kan sina här ha mot alla under någon eller allt mycket"
    " sedan ju denna själv detta åt utan hej tack",
    "da": "og i jeg kan kun det at en den til er som på de med han af for ikke der var mig sig men et har om vi min"
    " havde ham hun nu over da fra du ud sin dem os op man hans hvor eller hvad skal selv her alle vil"
    " blev kunne ind når være dog noget ville jo deres efter ned skulle denne end dette mit også under"
    " have dig hej tak meget god",
    "nb": "og i jeg det at en et den til er som på de med han av ikke der så var meg seg men ett har om vi"
    " min mitt ha hadde hun nå over da ved fra du ut sin dem oss opp man kan hans hvor eller hva skal"
    " selv her alle vil bli ble kunne inn når være kom noen noe ville dere deres kun ja etter ned"
    " skulle denne for deg hei takk god veldig",
    "fi": "ja on ei se että hän oli mutta ovat kun niin mitä tai jos kuin joka minä sinä me te he tämä nyt"
    " vain myös sen hänen ole olen olet olla mukaan kaikki mikä missä jonka sitä siitä voi sekä vielä"
    " jo nämä ennen jälkeen kanssa hei kiitos hyvää kyllä täällä paljon minun sinun meidän teidän ne"
    " niitä kuka miksi",
    "pl": "i w nie na się z do to że jest o jak ale po co tak za od go już jego jej czy przez dla są był"
    " było była być który która które tym ten ta te tego może tylko sobie ich przy bardzo jeszcze"
    " gdzie kiedy ja ty my wy oni mnie dzień dobry dziękuję proszę tutaj także oraz lub nad pod przed"
    " między mają jako",
    "cs": "a se v na je že to s z do o i ve jako za by ale jsem jsou si po tak k pro jeho její který která"
    " které co není být byl byla bylo při od už jen také než nebo až kde když ten ta jsme jste jak"
    " podle před mezi může dobrý den děkuji prosím ano ne zde velmi nás vás jim tento tato toto"
    " protože",
    "sk": "a sa v na je že to s z do o i vo ako za by ale som sú si po tak k pre jeho jej ktorý ktorá ktoré"
    " čo nie byť bol bola bolo pri od už len tiež než alebo až kde keď ten tá sme ste podľa pred medzi"
    " môže dobrý deň ďakujem prosím áno tu veľmi nás vás tento táto toto pretože",
    "hu": "a az és hogy nem is egy meg van de azt ez volt már csak ki mint még fel el ha vagy én te ő mi ti"
    " ők itt ott lesz ezt amely akkor kell után mert minden nagyon nincs majd között alatt előtt"
    " köszönöm kérem igen jó napot szia hol mikor ami aki lehet olyan ezek azok saját",
    "ro": "și în de la a pe cu nu se este un o că să din mai pentru care ce sunt au fost ca dar al lui ei"
    " sau prin după dacă când foarte fi îi le îl aceasta acest această acestea era avea fără bună ziua"
    " mulțumesc vă rog da aici unde toate toți până între despre doar cel cea cei noi voi noastră",
    "tr": "ve bir bu da de için ile çok ne o ben sen biz siz onlar değil mi mı mu daha gibi kadar var yok"
    " olan olarak ama en sonra her ki şey ise bana sana ona diye önce hiç nasıl neden nerede evet"
    " hayır merhaba teşekkür ederim lütfen günaydın oldu olduğu olduğunu ya veya tüm bunu şu göre",
    "id": "yang dan di untuk dengan pada adalah ini itu tidak dari ke dalam akan oleh saya anda kami mereka"
    " dia ada juga telah sudah atau karena bisa dapat lebih seperti hanya tersebut kepada sebagai"
    " harus jika ketika apa siapa mana selamat pagi terima kasih ya bukan sangat semua setelah sebelum"
    " kita antara secara namun",
    "vi": "và là của có không cho được trong với một các những này đó khi người đã sẽ cũng như để tôi bạn"
    " anh chị em chúng ta họ nó từ ra vào lên đến rất nhiều hơn nhưng hoặc nếu thì mà vì bởi tại về"
    " sau trước xin chào cảm ơn ở",
    "hr": "i u je na se da su za od s ne o što koji koja koje kao ali bi to iz po kako sam smo ste biti bio"
    " bila bilo nije nisu ili samo već još sve ako kada gdje zbog prema između može vrlo ovaj ova ovo"
    " taj dobar dan hvala molim ovdje mi vi oni njegov njezin nakon prije",
    "sl": "in je v na se da so za od z s ne o ki kot pa bi to iz po kako sem smo ste biti bil bila bilo ni"
    " niso ali samo že še vse če ko kje zaradi med lahko zelo ta tudi dober dan hvala prosim tukaj mi"
    " vi oni njegov pred",
    "lt": "ir yra kad su į iš ne tai kaip bet po prie per jo jos jų ar buvo būti aš tu jis ji mes jūs jie"
    " kas kur kada labai tik dar jau nuo iki už apie ačiū prašom labas rytas taip šis ši šie tas ta"
    " gali turi",
    "lv": "un ir ka ar no uz ne tas kā bet pēc pie par viņa viņas vai bija būt es tu viņš mēs jūs viņi kas"
    " kur kad ļoti tikai vēl jau līdz paldies lūdzu labrīt jā šis šī šie tā var arī",
    "et": "ja on ei see et oma ta oli aga kui või mis kes ma sa me te nad siin seal ka nii väga ainult veel"
    " juba pärast enne aitäh palun tere hommikust jah nende tema minu sinu meie teie olema selle kuid"
    " ning",
    "ca": "el la a els les de i que en un una és per amb no es del al com més però o també són aquest aquesta"
    " seva seu dels ha quan on qui molt sense sobre fins entre jo tu ell ella nosaltres bon dia"
    " gràcies sí aquí tot tots perquè",
    "ru": "и в не на я что он с как это она по но они мы все за от его ее её так же у к из ты вы для о"
    " только был была было были быть мне ещё еще бы если уже или когда где кто чтобы до нет да под над"
    " без этот эта эти который которая которые очень здесь привет спасибо доброе утро пожалуйста мой"
    " ваш наш после перед",
    "uk": "і в не на я що він з як це вона по але вони ми всі за від його її так же у до ти ви для про"
    " тільки був була було були бути мені ще якщо вже або коли де хто щоб ні та й під над без цей ця"
    " ці який яка які дуже тут привіт дякую доброго ранку будь ласка мій ваш наш після перед є",
    "bg": "и в не на аз че той с как това тя по но те ние всички за от неговия нея така у към ти вие само"
    " беше били бъде ми още ако вече или кога къде кой да няма се са е ще под над без този тази тези"
    " който която които много тук здравей благодаря добро утро моля след преди",
    "sr": "и у је на се да су за од с не о што који која које као али би то из по како сам смо сте бити био"
    " била било није нису или само већ још све ако када где због према између може врло овај ова ово"
    " тај добар дан хвала молим",
    "mk": "и во не на јас дека тој со како тоа таа по но тие ние сите за од негов така кон ти вие само беше"
    " биле биде ми уште ако веќе или кога каде кој да нема се е ќе под над без овој оваа овие која кои"
    " многу тука здраво",
    "be": "і ў у не на я што ён з як гэта яна па але яны мы ўсе за ад яго яе так да ты вы для пра толькі быў"
    " была было былі быць мне яшчэ калі ўжо або дзе хто каб няма пад над без гэты гэтая гэтыя які якая"
    " якія вельмі тут дзякуй",
}  # fmt: skip


@cache
def words_of(language: str) -> frozenset[str]:
    return frozenset(_WORDS.get(language, "").split())


def languages() -> tuple[str, ...]:
    return tuple(_WORDS)


@cache
def _known() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for language in _WORDS:
        for word in words_of(language):
            found.setdefault(word, []).append(language)
    return {word: tuple(whose) for word, whose in found.items()}


def hits(words: list[str]) -> dict[str, int]:
    """How many of these words each language knows."""
    known, counts = _known(), dict[str, int]()
    for word in words:
        for language in known.get(word, ()):
            counts[language] = counts.get(language, 0) + 1
    return counts


def language_of(text: str) -> str | None:
    """In which language a text is, where that is sure."""
    known, weights = _known(), dict[str, float]()
    for word in _LETTERS.findall(text.lower()):
        whose = known.get(word, ())
        for language in whose:
            weights[language] = weights.get(language, 0) + 1 / len(whose)
    best = max(weights, key=lambda one: weights[one], default="")
    second = max((weight for one, weight in weights.items() if one != best), default=0)
    if weights.get(best, 0) >= max(_ENOUGH, _AHEAD * second):
        return best
    return next((language for language, letters in _BY_SCRIPT if re.search(letters, text)), None)
