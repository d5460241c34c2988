"""A JSON body with something else in one place, for codecs that must not fall over it."""

from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

JUNK: list[Any] = [None, True, 0, 1.5, -3, "", "x", [], {}, ["x"], [None], [{}], {"a": 1}, {"type": "text"}]


def paths(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where each value lies inside a body."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [path for key, one in inside for path in paths(one, (*before, key))]
    return [before, *found] if before else found


def changed(body: Any) -> st.SearchStrategy[Any]:
    def change(path: tuple[Any, ...], junk: Any, *, gone: bool) -> Any:
        made = deepcopy(body)
        place = made
        for key in path[:-1]:
            place = place[key]
        if gone:
            del place[path[-1]]
        else:
            place[path[-1]] = junk
        return made

    return st.builds(change, st.sampled_from(paths(body)), st.sampled_from(JUNK), gone=st.booleans())
