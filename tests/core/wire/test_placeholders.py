"""What must survive a translation is found, taken out and put back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.wire.translation.placeholders import letters, mask, pieces, restore
from tests.core.fakes import examples

BITS = [
    "{name}", "{{ user.name }}", "${x}", "%(n)d", "%s", "%1$s", "%.2f", "{0}", "{n, number, percent}", "`rm -rf`",
    "https://a.example/b?c=d#e", "www.example.com", "me@example.com", ":smile:", "<b>", "</b>", "<0>", "</0>", "<br/>",
    "<%= x %>", "```\ncode\n```", "<x1/>", "< X 2 / >", "{", "}", "<", ">", "&amp;", "&eacute;", "&", "%", "#", "'",
    "{n, plural, one {# box} other {# boxes}}", "{g, select, male {he} other {they}}", "<!-- c -->", "<script>",
    "</script>", '<span class="notranslate">', "</span>", '<a href="x" title="a > b">', "word", " ", "\n", "é", "你好",
    ".", '"',
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(BITS) | st.text(max_size=5), max_size=12).map("".join)


@examples(200)
@given(TEXTS)
def test_what_is_taken_out_is_put_back(text):
    assert restore(*mask(text)) == text
    whole = letters(text)
    assert restore(*mask(whole, html=True)) == whole


@examples(200)
@given(TEXTS, st.booleans())
def test_pieces_are_in_order_and_say_what_stands_there(text, html):
    at = 0
    for piece in pieces(text, html=html):
        assert at <= piece.start < piece.end
        assert text[piece.start : piece.end] == piece.text
        at = piece.end


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Hi {name}, %s of %(n)d", ["{name}", "%s", "%(n)d"]),
        ("{{user}} owes ${amount} or {0:.2f}", ["{{user}}", "${amount}", "{0:.2f}"]),
        ("100% sure at 10:30:45, 50% discount, {not this one}", []),
        ("See https://a.example/b_(c). Or (www.x.org)!", ["https://a.example/b_(c)", "www.x.org"]),
        ("参见https://a.example/b。", ["https://a.example/b"]),
        ("Mail me@example.com, run `ls -l` :tada:", ["me@example.com", "`ls -l`", ":tada:"]),
        ("1 <a and b> 2", []),
        ("%NAME% owes $AMOUNT to [[name]] and {user name}", ["%NAME%", "$AMOUNT", "[[name]]", "{user name}"]),
        ("100% or 50%, US$5, $5 and %d% off, [not] [this]", ["%d"]),
        ("<0>link</0> and <b>bold</b>", ["<0>", "</0>", "<b>", "</b>"]),
        (
            "{n, plural, one {# box of {what}} other {# boxes}}!",
            ["{n, plural, one {", "#", "{what}", "} other {", "#", "}}"],
        ),
        ("{n, plural, one {never closed", []),
    ],
)
def test_placeholders(text, kept):
    assert [one.text for one in pieces(text)] == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('<p class="a">Hi &amp; {n}</p>', ['<p class="a">', "&amp;", "{n}", "</p>"]),
        ("a<script>if (a < b) {}</script>b", ["<script>if (a < b) {}</script>"]),
        ('<i translate="no">Foo <i>x</i></i> y', ['<i translate="no">Foo <i>x</i></i>']),
        ("Run <code>rm &lt;x</code>!", ["<code>", "rm &lt;x", "</code>"]),
        ('<pre class="x"><b>if</b> a</pre>b<code>', ['<pre class="x">', "<b>if</b> a", "</pre>", "<code>"]),
        ("<!-- no --><br>", ["<!-- no -->", "<br>"]),
        ('<a title="x > y" href="z">', ['<a title="x > y" href="z">']),
    ],
)
def test_html(text, kept):
    assert [one.text for one in pieces(text, html=True)] == kept


def test_tags_side_by_side_are_one_mark_and_letters_are_letters():
    masked = mask(letters("<ul>\n<li>Caf&eacute; &lt;</li></ul>"), html=True)
    assert masked.text == "<x1/>Café <x2/><x3/>"
    assert masked.kept == ("<ul>\n<li>", "&lt;", "</li></ul>")


def test_a_model_may_write_marks_its_own_way():
    assert restore("< X1 / > and <x2>", ("{a}", "{b}")) == "{a} and {b}"
    assert restore("<x3/>", ("{a}",)) == "<x3/>"


@pytest.mark.parametrize("html", [False, True])
@pytest.mark.parametrize(
    "bad",
    ["<script>", "<p translate=no>", "{a, plural, one {", '<a "', "<!--", "```", "`", "a@", "<% ", "https://(", "{ a"],
)
def test_what_is_made_to_take_long_does_not(bad, html):
    """Each of these takes minutes where something is looked for again and again."""
    text = bad * (100_000 // len(bad))
    assert restore(*mask(text, html=html)) == text
