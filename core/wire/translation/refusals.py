"""Answers that speak to whoever asked, in the place of a translation. Pure."""

import re

_LONGEST = 400
# How models decline, at the beginning of what they say.
_DECLINES = re.compile(
    r"\W*(?:(?:i['’]?m|i am) (?:really |very |so )?(?:sorry|afraid|unable|not able)\b"
    r"|sorry\b[,.]? (?:but )?i\b|i (?:can['’]?t|cannot|can not|won['’]?t|am unable to)"
    r" (?:help|assist|translate|fulfil|comply|do|provide|answer)|i must decline|as an ai\b|i apologi[sz]e"
    r"|unfortunately,? i (?:can|am)"
    r"|(?:es tut mir leid|tut mir leid|entschuldigung|leider)\b.{0,20}\b(?:kann|darf|bin)\b"
    r"|ich kann (?:dabei|dir|ihnen|das) nicht|als ki\b"
    r"|(?:je suis )?désolée?\b.{0,20}\b(?:je|ne)\b|je ne peux pas|en tant qu['’]ia"
    r"|lo siento\b.{0,20}\bno puedo|no puedo (?:ayudar|traducir)"
    r"|(?:mi dispiace|spiacente)\b.{0,20}\bnon posso|(?:sinto muito|desculpe|lamento)\b.{0,20}\bnão posso"
    r"|het spijt me\b.{0,20}\bik kan|przepraszam\b.{0,20}\bnie mogę"
    r"|(?:извините|к сожалению|простите)\b.{0,20}\bя не могу|я не могу (?:помочь|перевести)|(?:вибачте"
    r"|на жаль)\b.{0,20}\bне можу"
    r"|(?:很?抱歉|对不起|對不起).{0,6}我(?:无法|無法|不能|没有办法)|申し訳(?:ありません|ございません)が"
    r"|죄송(?:합니다|하지만))",
    re.IGNORECASE,
)
# What a text has to say itself, in some language, for that to be its translation.
_EXCUSES = re.compile(
    r"sorry|apolog|afraid|unable|regret|unfortunat|can['’]?t|cannot|can not|won['’]?t|not able|decline"
    r"|\bai\b|\bki\b|\bia\b"
    r"|leid|entschuld|verzei|leider|kann|bedauer|désol|excus|pardon|malheureus|peux|peut|sient|puedo"
    r"|perd[óo]n|disculp|lament"
    r"|desculp|sinto|posso|dispiac|scus|spiac|purtroppo|przepr|przykr|niestety|mogę|wybacz|omlouv|bohužel"
    r"|promi[nň]|nemohu"
    r"|ledsen|förlåt|tyvärr|beklag|unnskyld|dessverre|undskyld|desværre|spijt|helaas|kan niet|anteeksi"
    r"|valitettav|pahoittel"
    r"|sajná|bocs|elnéz|üzgün|maalesef|özür|извин|прости|сожал|могу|вибач|жаль|можу|抱歉|对不起|對不起"
    r"|不好意思|遗憾|遺憾|不能|无法|無法"
    r"|申し訳|すみません|ごめん|残念|できません|죄송|미안|유감|maaf|xin lỗi|rất tiếc|माफ|क्षमा|खेद|آسف"
    r"|عذر|متأسف|ขออภัย|ขอโทษ|เสียใจ"
    r"|συγγνώμη|λυπ|סליחה|מצטער|rău|scuz|nu pot",
    re.IGNORECASE,
)


def declines(source: str, answer: str) -> bool:
    return len(answer) <= _LONGEST and _DECLINES.match(answer) is not None and _EXCUSES.search(source) is None
