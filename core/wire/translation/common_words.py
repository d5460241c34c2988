"""English words that are read on screens and in letters and are words of no other language. Pure.

A text that is nothing but these has not been translated by being repeated; a name or a trade's word is not here.
"""

from typing import Final

from core.wire.translation.function_words import words_of

_WORDS_TEXT: Final = (
    "about above accept access accepted account accounts across action active activity actually add added additional"
    " address adult advanced again against age agree agreement ahead air alert allow allowed almost alone along"
    " already although always amount another answer answers any anyone anything apply approved area around arrived ask"
    " asked attached attempt attempts available avoid away back bad balance bank beautiful became because become bed"
    " been began begin behind believe below best better between big bigger bill billing birthday black blocked blue"
    " body book booked booking books both bottom bought box boy break bring broken brother brought brown browse build"
    " building business busy buy call called came cancel cancelled canceled cannot car card care carefully case cash"
    " cause change changed changes charge cheap check checked checkout child children choose chosen city clean clear"
    " click close closed code cold colour comment comments coming common company complete completed confirm confirmed"
    " connect connected connection contact contains continue copied copy cost could country course create created"
    " currently customer customers daily dark date day days deadline deal death decide default delete deleted"
    " delivered delivery deposit details did different difficult dinner disable disabled discount done door down"
    " download downloaded draft draw dream drive drop due during each early east easy eat edit eight either else empty"
    " enable enabled end ended enough enter entered error errors evening event every everybody everyone everything"
    " example exist exists expired eye eyes face failed fall family far fast father feature features feedback feel"
    " feet few field fields file files filter find fine finish finished fire first five floor flower folder follow"
    " following food foot forget forgot forward found four free friday friend friends front full fun game garden gave"
    " get getting girl give given glad goes going gone good got great green ground group grow guest guide had half"
    " hand hands happen happened happy hard have head health hear heard heart heavy held help here hide high hold"
    " holiday home hope hour hours house however hundred idea image images important improve inbox include included"
    " incoming incorrect information install installed instead insurance invalid invite invited invoice issue item"
    " items join joined journey just keep kept kind kitchen knew know known language large last late later latest"
    " laugh law lead learn leave left less let letter level light like line link list listen little live lives loading"
    " location lock locked login logout long look lost love low lunch made mail main make making man manage many map"
    " maximum may maybe mean meaning meet meeting member members men message messages middle might mind minimum minute"
    " minutes missing mistake monday money month monthly months moon more morning most mother mountain move much music"
    " must name names near nearly need needed never new newsletter next nice night nine nobody none north note nothing"
    " notice notification notifications number offer often older once one online open opened option optional options"
    " orange order orders other otherwise ours out outside over overdue overview owner own page pages paid paper"
    " parents park part password passwords past pay payable payment payments pending people perhaps permission phone"
    " picture pictures place plan play played please point police policy poor power preferences press preview previous"
    " price print privacy problem proceed processing product products profile public pull purchase purchased push put"
    " question questions quick quickly quite rain reach read reading ready really reason receipt receive received"
    " recent recommended record red refresh refund refunded register registered reject rejected release remember"
    " reminder remove removed rename reply report request requested required reset restart retry return review reviews"
    " right river road room rooms run safe said sale same save saved say saying schedule school score screen sea"
    " search season seat second seconds section see seem seen select selected sell send sender sending sent server"
    " service session set settings seven several share shared shipped shipping shop short should show sick side sign"
    " signed simple since single sister sit six size sleep slow small snow soft sold some someone something sometimes"
    " soon sorry sound south speak special spend spring stand start started state status stay step still stop stopped"
    " store story street strong student subject submit submitted subscribe subscription successful successfully such"
    " suddenly suggested summer sun sunday support sure switch table take taken talk tall taught tax teacher tell"
    " temporary ten terms test thank thanks their thing things think third though thought thousand three through"
    " thursday ticket time times title today together told tomorrow tonight too took top total town track training"
    " travel tree tried true trust try tuesday turn two type unavailable under understand unfortunately unknown unread"
    " until update updated updates upload uploaded upgrade use used user username users using usually valid value"
    " verification verify version very view visit voice wait waiting walk wall want wanted warm warning was watch"
    " water way weather website wednesday week weekend weekly weeks welcome well went west wet whether white whole"
    " wide will wind window winter wish without woman women wonderful wood word words work worked worker working world"
    " worse worth would write written wrong year yearly years yellow yesterday young your yourself"
)
_WORDS: Final = frozenset(_WORDS_TEXT.split())


def is_common(word: str) -> bool:
    return word in _WORDS or word in words_of("en")
