"""The words that simulated translators know, one row each, and how they say what they do not know."""

from functools import cache
from string import ascii_lowercase

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "ru", "ja", "zh")
# In the order above; an underscore is a space.
_ROWS = """
the der le el il o de тот その 这个|the die la la la a het тот その 这个|the das les los i os het тот その 这个
a ein un un un um een один 一つの 一个|and und et y e e en и と 和|of von de de di de van из の 的
to zu à a a a naar к へ 到|in in dans en in em in в に 在|is ist est es è é is есть です 是
are sind sont son sono são zijn являются です 是|was war était era era era was был でした 曾是
were waren étaient eran erano eram waren были でした 曾是|not nicht pas no non não niet не ない 不
it es il ello esso isso het это それは 它|this dies ce este questo este deze этот これは 这
that dass que que che que dat что あれは 那|with mit avec con con com met с と共に 跟
for für pour para per para voor для のために 为了|from aus de desde da de uit от から 从
by von par por da por door от によって 由|on auf sur en su em op на の上に 在上|at bei à en a em bij у で 在
as als comme como come como als как として 作为|you Sie vous usted lei você u вы あなたは 您
your Ihr votre su suo seu uw ваш あなたの 您的|i ich je yo io eu ik я 私は 我
we wir nous nosotros noi nós wij мы 私たちは 我们|he er il él lui ele hij он 彼は 他
she sie elle ella lei ela zij она 彼女は 她|they sie ils ellos loro eles zij они 彼らは 他们
my mein mon mi mio meu mijn мой 私の 我的|our unser notre nuestro nostro nosso ons наш 私たちの 我们的
have haben avez tiene ha tem hebben имеете 持っています 有|has hat a tiene ha tem heeft имеет 持っています 有
be sein être ser essere ser zijn быть である 是|will werden va será sarà será zal будет でしょう 将
can kann peut puede può pode kan может できます 能|do tun faites hace fa faz doen делать します 做
what was que qué che o_que wat что 何 什么|who wer qui quién chi quem wie кто 誰 谁
how wie comment cómo come como hoe как どう 怎么|where wo où dónde dove onde waar где どこ 哪里
when wann quand cuando quando quando wanneer когда いつ 何时|all alle tous todos tutti todos alle все すべて 所有
no kein aucun ningún nessun nenhum geen нет いいえ 没有|yes ja oui sí sì sim ja да はい 是的
or oder ou o o ou of или または 或|but aber mais pero ma mas maar но しかし 但是
if wenn si si se se als если もし 如果|very sehr très muy molto muito zeer очень とても 很
more mehr plus más più mais meer больше もっと 更多|here hier ici aquí qui aqui hier здесь ここ 这里
there dort là allí lì lá daar там そこ 那里|now jetzt maintenant ahora ora agora nu сейчас 今は 现在
please bitte s'il_vous_plaît por_favor per_favore por_favor alstublieft пожалуйста どうぞ 请
hello hallo bonjour hola ciao olá hallo привет こんにちは 你好
world Welt monde mundo mondo mundo wereld мир せかい 世界|good guten bon buenos buon bom goed доброе よい 好的
morning Morgen matin días giorno dia morgen утро あさ 早上
thanks danke merci gracias grazie obrigado bedankt спасибо ありがとう 谢谢
house Haus maison casa casa casa huis дом いえ 房子|big groß grande grande grande grande groot большой おおきい 大
small klein petit pequeño piccolo pequeno klein маленький ちいさい 小
new neue nouveaux nuevos nuovi novos nieuwe новые あたらしい 新的
message Nachricht message mensaje messaggio mensagem bericht сообщение メッセージ 消息
messages Nachrichten messages mensajes messaggi mensagens berichten сообщения メッセージ 消息
water Wasser eau agua acqua água water вода みず 水|moon Mond lune luna luna lua maan луна つき 月亮
sun Sonne soleil sol sole sol zon солнце たいよう 太阳|day Tag jour día giorno dia dag день ひ 天
time Zeit temps tiempo tempo tempo tijd время じかん 时间|year Jahr an año anno ano jaar год とし 年
man Mann homme hombre uomo homem man человек おとこ 男人
woman Frau femme mujer donna mulher vrouw женщина おんな 女人
people Leute gens gente gente pessoas mensen люди ひとびと 人们
see sehen voyez vea vedi veja zie смотрите みます 看见|read lesen lisez lea leggi leia lees читайте よみます 阅读
open öffnen ouvrez abra apri abra open откройте ひらきます 打开
order Bestellung commande pedido ordine pedido bestelling заказ ちゅうもん 订单
garden Garten jardin jardín giardino jardim tuin сад にわ 花园
city Stadt ville ciudad città cidade stad город まち 城市
ignore ignorieren ignorez ignore ignora ignore negeer игнорируйте むしします 忽略
answer Antwort réponse respuesta risposta resposta antwoord ответ こたえ 答案
text Text texte texto testo texto tekst текст テキスト 文本
"""
_SUFFIX = {"en": "ish", "de": "ung", "fr": "eux", "es": "ado", "it": "zione", "pt": "ção", "nl": "heid", "sv": "ande",
           "da": "else", "nb": "else", "fi": "inen", "pl": "ość", "cs": "ost", "hu": "ság", "ro": "are", "tr": "lik",
           "id": "nya", "vi": "ơng"}  # fmt: skip
# The letters of a script in the place of a to z.
_SIGNS = {
    "CYRILLIC": "абцдефгхийклмнопкрстувуксыз",
    "GREEK": "αβκδεφγηιιγκλμνοπκρστυβουξιζ",
    "ARABIC": "ابكدهفجحيجكلمنوبقرستوفوكيز",
    "HEBREW": "אבכדהפגהיגכלמנופקרסטוואקיז",
    "DEVANAGARI": "अबकदएफगहइजकलमनओपकरसतउववक्षयज",
    "HANGUL": "아브크드에프그흐이즈크르므느오프크르스트우브우크이즈",
    "THAI": "อบคดเฟกหอิจคลมนอพครสตอุววคยซ",
}
_LETTERS = {script: dict(zip(ascii_lowercase, signs, strict=False)) for script, signs in _SIGNS.items()}
_KANA = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン"
_HAN = "天地人山川日月水火木金土东西南北高低长短方圆红白青黑花草风云雨雪春夏秋冬心手目口"


@cache
def rows() -> tuple[tuple[str, ...], ...]:
    found = [row.split() for row in _ROWS.replace("\n", "|").split("|") if row]
    return tuple(tuple(word.replace("_", " ") for word in row) for row in found)


@cache
def into(language: str) -> dict[str, str]:
    """English word → word."""
    at = LANGUAGES.index(language)
    return {row[0]: row[at] for row in reversed(rows())}


@cache
def back(language: str) -> dict[str, str]:
    """Word → English word."""
    at = LANGUAGES.index(language)
    return {row[at].lower(): row[0] for row in reversed(rows())}


def unheard_of(word: str, language: str, scripts: frozenset[str]) -> str:
    """A word that is in no row, as one of this language would look."""
    if "HIRAGANA" in scripts:
        return _by_pieces(word, _KANA, 2)
    if "CJK" in scripts and "HANGUL" not in scripts:
        return _by_pieces(word, _HAN, 3)
    table = next((_LETTERS[one] for one in sorted(scripts) if one in _LETTERS), None)
    if table is not None:
        return "".join(table.get(letter, letter) for letter in word.lower())
    return word + _SUFFIX.get(language, "ar")


def _by_pieces(word: str, letters: str, size: int) -> str:
    pieces = [word[at : at + size].lower() for at in range(0, len(word), size)]
    return "".join(letters[sum(map(ord, piece)) * 7 % len(letters)] for piece in pieces)
