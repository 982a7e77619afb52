"""Any web goal that can be: all fields, directions, strategies and links, with the most hostile names."""

from hypothesis import strategies as st

from snippets.consent import OBJECTIVE_ID, ZONE, ConsentRule
from snippets.fields import LOGIN_FIELDS, MAX_FIELD_LENGTH, USER_FIELDS
from snippets.goals import (
    PROFILE_ID,
    Direction,
    IdentifierLink,
    InvalidGoalError,
    Mapping,
    MergeStrategy,
    TokenKind,
    WebGoal,
)
from tests.factories import make_goal
from tests.snippets.test_hostile_text import hostile_texts, namespaces, paths, printable_lines, properties

ROOTS = ("user_metadata", "app_metadata")
OTHER_NAMESPACES = ("http://localhost:8000/claims/", "https://notauth0.com/", "https://auth0.com.example/sub/")


def below(root: str) -> st.SearchStrategy[str]:
    """Give paths below ``root``."""
    return paths.map(lambda path: f"{root}.{path}"[:MAX_FIELD_LENGTH].rstrip(" ."))


fields = st.one_of(st.sampled_from((*USER_FIELDS, *LOGIN_FIELDS)), *map(below, ROOTS))
to_profile = st.builds(Mapping, fields, properties, st.just(Direction.TO_PROFILE), st.sampled_from(MergeStrategy))
other_links = st.builds(IdentifierLink, fields, properties, st.booleans())


@st.composite
def mappings_to_auth0(draw: st.DrawFn, *, roots: tuple[str, ...]) -> tuple[Mapping, ...]:
    """Rows that write to Auth0: each below a key of its own, so that no two write the same field."""
    strategies = st.sampled_from([MergeStrategy.SET, MergeStrategy.SET_IF_EMPTY, MergeStrategy.ADD])
    rows = draw(st.lists(st.tuples(st.sampled_from(roots), paths, properties, strategies), max_size=4))
    return tuple(
        Mapping(f"{root}.{index}.{path}"[:MAX_FIELD_LENGTH].rstrip(" ."), name, Direction.TO_AUTH0, strategy)
        for index, (root, path, name, strategy) in enumerate(rows)
    )


@st.composite
def links(draw: st.DrawFn) -> tuple[IdentifierLink, ...]:
    """At least one identifier link, with or without a place for the profile id."""
    found = draw(st.lists(other_links, min_size=1, max_size=3, unique=True))
    if draw(st.booleans()):
        found.insert(0, IdentifierLink("user_metadata.id." + draw(printable_lines), PROFILE_ID))
    return tuple(found)


zones = st.lists(st.from_regex(ZONE, fullmatch=True), max_size=4, unique=True)
rules = st.builds(
    lambda ids, opt_in, opt_out: ConsentRule(tuple(ids), tuple(opt_in), ("CCPA", *opt_out)),
    st.lists(st.from_regex(OBJECTIVE_ID, fullmatch=True), min_size=1, max_size=4, unique=True),
    zones,
    zones,
)


@st.composite
def goals(draw: st.DrawFn, *, server_exchange: bool = False) -> WebGoal:
    """A valid goal. With ``server_exchange`` it may also write to ``app_metadata``."""
    rows = draw(st.lists(to_profile, max_size=5, unique=True))
    rows += draw(mappings_to_auth0(roots=ROOTS if server_exchange else ROOTS[:1]))
    try:
        return make_goal(
            name="n" + draw(hostile_texts),
            claim_namespace=draw(namespaces | st.sampled_from(OTHER_NAMESPACES)),
            mappings=tuple(draw(st.permutations(rows))),
            links=draw(links()),
            token_kind=draw(st.sampled_from(TokenKind)),
            client_ids=("shop-client", draw(printable_lines)),
            audiences=(draw(printable_lines), "https://api.example"),
            server_exchange=server_exchange,
            consent=draw(st.none() | rules),
        )
    except InvalidGoalError:  # two properties whose parameters would have the same name
        return make_goal()
