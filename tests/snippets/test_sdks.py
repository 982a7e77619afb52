"""The code for SDKs that no test can install, and the routes of servers, on a page of our own.

With the real SDKs (auth0-spa-js, auth0-react, auth0-vue, auth0.js, express-openid-connect) it runs in tests/e2e.
"""

import gzip
from typing import Any

import pytest

from snippets.goals import TokenKind, WebGoal
from snippets.rendering import CodeFile, SnippetKind, render
from snippets.sdks import Sdk
from tests.factories import CONSENT, make_goal, to_auth0
from tests.javascript import NodeProcess
from tests.snippets.page import visit_page
from tests.snippets.test_types import NODE_MODULES

GOAL = make_goal(mappings=(to_auth0("user_metadata.newsletter", "newsletter"),))
ACCESS_GOAL = make_goal(token_kind=TokenKind.ACCESS_TOKEN, audiences=("https://api.shop.example",))
SENT = {"ext-bc_profile_id": "p-1", "ext-bcp_newsletter": "yes"}
BLUECONIC = {"values": {"newsletter": "yes"}}
NOW_SECONDS = 1_800_000_000
FRESH = {"__raw": "fresh.token", "exp": NOW_SECONDS + 3600}
OK = {"status": 200, "json": {"state": "MODIFIED"}}

TRANSPILE = """
const ts = require(given.typescript);
const options = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, experimentalDecorators: true };
return ts.transpileModule(given.code, { compilerOptions: options }).outputText;
"""

# Observables with the few operators that the code uses; Angular's inject() finds the one service there is.
ANGULAR = """
const observable = (start) => ({
  pipe: (...operators) => operators.reduce((source, operator) => operator(source), observable(start)),
  subscribe: (next = () => {}) => { start(next); return { unsubscribe() {} }; },
});
const of = (value) => observable((next) => next(value));
const rxjs = {
  defer: (make) => observable((next) => { make().then(next); }),
  switchMap: (project) => (source) => observable((next) => source.subscribe((value) => project(value).subscribe(next))),
  filter: (keeps) => (source) => observable((next) => source.subscribe((value) => { if (keeps(value)) next(value); })),
  take: () => (source) => source,
  firstValueFrom: (source) => new Promise((resolve) => source.subscribe(resolve)),
};
const promised = (make) => observable((next) => { make().then(next); });
const auth = {
  loginWithRedirect: (options) => promised(() => auth0Client.loginWithRedirect(options)),
  isAuthenticated$: observable((next) => { next(false); next(true); }),
  idTokenClaims$: promised(() => auth0Client.getIdTokenClaims()),
  getAccessTokenSilently: (options) => promised(() => auth0Client.getTokenSilently(options)),
};
const stubs = {
  "@angular/core": { inject: () => auth, Injectable: () => (type) => type },
  "@auth0/auth0-angular": { AuthService: class {} },
  rxjs,
};
"""
CALLBACK = 'globalThis.location = { search: "?code=abc&state=def" };\n'


def files(goal: WebGoal, kind: SnippetKind, sdk: Sdk) -> tuple[CodeFile, ...]:
    return render(goal, kind, sdk=sdk).files


def as_script(node: NodeProcess, file: CodeFile, stubs: str) -> str:
    """Return a module as a classic script that leaves its exports in ``module``."""
    given = {"typescript": str(NODE_MODULES / "typescript"), "code": file.code}
    code = node.run(TRANSPILE, given)
    run = f"((exports, require) => {{{code}}})(module.exports, (name) => stubs[name]);"
    return f"{stubs}\nconst module = {{ exports: {{}} }};\n{run}"


def test_angular_logs_in_with_the_values(node: NodeProcess) -> None:
    # given Angular's service
    [file] = files(GOAL, SnippetKind.APPLICATION, Sdk.ANGULAR)
    # when a component logs somebody in
    call = """rxjs.firstValueFrom(new module.exports.WebsyncLogin().loginWithRedirect(
        { appState: { target: "/a" }, authorizationParams: { screen_hint: "signup" } }))"""
    seen = visit_page(node, as_script(node, file, ANGULAR), call, blueConic=BLUECONIC)
    # then the SDK got the values beside the component's own options
    assert seen["logins"] == [
        {"appState": {"target": "/a"}, "authorizationParams": {**SENT, "screen_hint": "signup"}},
    ]


@pytest.mark.parametrize(
    ("goal", "posted"), [(GOAL, "fresh.token"), (ACCESS_GOAL, "access.token")], ids=["id_token", "access_token"]
)
def test_angular_posts_the_token_after_a_login(node: NodeProcess, goal: WebGoal, posted: str) -> None:
    # given Angular's service on the page to which Auth0 sends visitors back
    [file] = files(goal, SnippetKind.TOKEN, Sdk.ANGULAR)
    start = "new module.exports.WebsyncToken().start()"
    # when the root component starts it, twice
    seen = angular_page(node, file, CALLBACK, f"({start}, {start}, settled())")
    # then the token was posted once
    assert [post["body"] for post in seen["posts"]] == [{"token": posted, "profileId": "p-1"}]


def test_angular_posts_nothing_without_a_login(node: NodeProcess) -> None:
    [file] = files(GOAL, SnippetKind.TOKEN, Sdk.ANGULAR)
    assert angular_page(node, file, "", "(new module.exports.WebsyncToken().start(), settled())")["posts"] == []


def angular_page(node: NodeProcess, file: CodeFile, before: str, call: str) -> dict[str, Any]:
    settled = "const settled = () => new Promise((resolve) => setTimeout(resolve, 60000));\n"
    return visit_page(
        node,
        settled + as_script(node, file, before + ANGULAR),
        call,
        now=NOW_SECONDS * 1000,
        idTokens=[FRESH],
        accessTokens=["access.token"],
        answers=[OK],
        blueConic=BLUECONIC,
    )


def test_next_logs_in_by_its_own_route_with_the_values(node: NodeProcess) -> None:
    # given the function for the components of Next.js
    [file] = files(GOAL, SnippetKind.APPLICATION, Sdk.NEXTJS)
    code = as_script(
        node, file, "const stubs = {}; const places = []; globalThis.location = { assign: (url) => places.push(url) };"
    )
    # when a component logs somebody in
    call = 'module.exports.loginWithWebsync({ returnTo: "/account" }).then(() => places)'
    seen = visit_page(node, f"globalThis.URLSearchParams = {SEARCH_PARAMS};\n{code}", call, blueConic=BLUECONIC)
    # then the values travel in the query that the SDK hands on
    assert seen["results"] == [["/auth/login?ext-bc_profile_id=p-1&ext-bcp_newsletter=yes&returnTo=/account"]]


# The page of the tests has no URL classes: enough of them for plain values.
SEARCH_PARAMS = """class {
  constructor(pairs) { this.pairs = pairs; }
  toString() { return Object.entries(this.pairs).map((pair) => pair.join("=")).join("&"); }
}"""


@pytest.mark.parametrize("goal", [GOAL, ACCESS_GOAL], ids=["id_token", "access_token"])
def test_next_hands_the_session_s_token_to_its_own_pages(node: NodeProcess, goal: WebGoal) -> None:
    # given the route, and sessions: one with tokens, none, and one that cannot be read
    _, route = files(goal, SnippetKind.TOKEN, Sdk.NEXTJS)
    code = node.run(TRANSPILE, {"typescript": str(NODE_MODULES / "typescript"), "code": route.code})
    script = """
      const answers = [];
      const asked = [];
      const sessions = {
        full: {
          getSession: async () => ({ tokenSet: { idToken: "id.token" } }),
          getAccessToken: async (options) => { asked.push(options ?? null); return { token: "access.token" }; },
        },
        empty: { getSession: async () => null, getAccessToken: async () => { throw new Error("no session"); } },
        broken: {
          getSession: async () => { throw new Error("broken"); },
          getAccessToken: async () => { throw new Error("broken"); },
        },
      };
      for (const auth0 of Object.values(sessions)) {
        const exports = {};
        new Function("exports", "require", given)(exports, () => ({ auth0 }));
        const response = await exports.GET();
        answers.push([await response.json(), response.headers.get("cache-control")]);
      }
      return { answers, asked };
    """
    # when each is asked
    seen = node.run(script, code)
    # then only the first gives a token, and nobody may keep it
    token = "id.token" if goal is GOAL else "access.token"
    assert seen["answers"] == [[{"token": each}, "no-store"] for each in (token, None, None)]
    assert seen["asked"] == ([] if goal is GOAL else [{"audience": "https://api.shop.example"}])


def test_next_posts_the_token_of_its_route_once_it_is_on_the_page(node: NodeProcess) -> None:
    # given the component
    component, _ = files(GOAL, SnippetKind.TOKEN, Sdk.NEXTJS)
    stubs = """
      const effects = [];
      const stubs = { react: { useEffect: (effect) => effects.push(effect) } };
      const settled = () => new Promise((resolve) => setTimeout(resolve, 60000));
      const routed = [];
      const post = fetch;
      globalThis.fetch = async (url, options) => {
        if (url !== "/websync/token") return post(url, options);
        routed.push(url);
        return { ok: true, json: async () => ({ token: "id.token" }) };
      };
    """
    # when the layout shows it, twice
    call = "(module.exports.WebsyncToken(), effects[0](), settled())"
    again = "(module.exports.WebsyncToken(), effects[1](), settled().then(() => routed))"
    seen = visit_page(node, as_script(node, component, stubs), call, again, answers=[OK], blueConic=BLUECONIC)
    # then its token was posted once
    assert [post["body"]["token"] for post in seen["posts"]] == ["id.token"]
    assert seen["results"][1] == ["/websync/token", "/websync/token"]


def test_express_lets_through_what_the_login_call_could_have_sent(node: NodeProcess) -> None:
    # given the login route, with an option of the operator's
    _, route = files(GOAL, SnippetKind.APPLICATION, Sdk.EXPRESS)
    script = """
      const module = { exports: {} };
      new Function("module", given.code)(module);
      const handler = module.exports({ returnTo: "/", authorizationParams: { prompt: "login" } });
      return given.queries.map((query) => {
        let login;
        handler({ query }, { oidc: { login: (options) => { login = options; } } });
        return login;
      });
    """
    hostile = {"ext-bc_profile_id": ["a", "b"], "ext-bcp_newsletter": 'x" onload=', "scope": "admin", "prompt": "none"}
    # when it is asked with good values, with hostile ones, and with none
    logins = node.run(script, {"code": route.code, "queries": [{**SENT, "scope": "admin"}, hostile, {}]})
    # then only the goal's parameters went on
    own = {"prompt": "login"}
    assert [login["authorizationParams"] for login in logins] == [{**SENT, **own}, own, own]
    assert {login["returnTo"] for login in logins} == {"/"}


@pytest.mark.parametrize(
    ("goal", "session", "token"),
    [
        (GOAL, {"idToken": "id.token"}, "id.token"),
        (GOAL, {}, None),
        (ACCESS_GOAL, {"accessToken": {"access_token": "access.token"}}, "access.token"),
        (ACCESS_GOAL, {}, None),
    ],
)
def test_express_hands_the_session_s_token_to_its_own_pages(
    node: NodeProcess, goal: WebGoal, session: dict[str, Any], token: str | None
) -> None:
    _, route = files(goal, SnippetKind.TOKEN, Sdk.EXPRESS)
    script = """
      const module = { exports: {} };
      new Function("module", given.code)(module);
      const answer = { headers: {} };
      const response = {
        set: (name, value) => { answer.headers[name] = value; return response; },
        json: (body) => { answer.body = body; },
      };
      module.exports({ oidc: given.session }, response);
      return answer;
    """
    answer = node.run(script, {"code": route.code, "session": session})
    assert answer == {"headers": {"cache-control": "no-store"}, "body": {"token": token}}


@pytest.mark.parametrize("error", ["no session", None])
def test_a_route_without_a_token_posts_nothing(node: NodeProcess, error: str | None) -> None:
    # given a server whose session is over, or whose route is not there
    browser, _ = files(GOAL, SnippetKind.TOKEN, Sdk.EXPRESS)
    answer = (
        "{ ok: false, json: async () => { throw new Error(); } }"
        if error
        else "{ ok: true, json: async () => ({ token: null }) }"
    )
    before = f"globalThis.fetch = async () => ({answer});\n"
    # when a page calls the code
    seen = visit_page(node, before + browser.code, "syncWithWebsync()", blueConic=BLUECONIC)
    # then nothing happens
    assert (seen["results"], seen["posts"], seen["events"]) == ([None], [], [])


@pytest.mark.parametrize("goal", [GOAL, ACCESS_GOAL], ids=["id_token", "access_token"])
def test_what_browsers_get_of_angular_s_token_post_is_small(node: NodeProcess, goal: WebGoal) -> None:
    # given the code as Angular's compiler leaves it: without types and comments
    [file] = files(goal, SnippetKind.TOKEN, Sdk.ANGULAR)
    as_module = TRANSPILE.replace("ModuleKind.CommonJS", "ModuleKind.ESNext")
    as_shipped = as_module.replace("experimentalDecorators", "removeComments: true, experimentalDecorators")
    code = node.run(as_shipped, {"typescript": str(NODE_MODULES / "typescript"), "code": file.code})
    # when it is compressed as servers do, then it is under 2 KiB
    assert len(gzip.compress(code.encode())) < 2048


def test_angular_s_token_post_that_asks_for_consent_is_small_too(node: NodeProcess) -> None:
    # given the code of a goal with objectives, as Angular's own build leaves it: by esbuild, minified
    [file] = files(make_goal(consent=CONSENT), SnippetKind.TOKEN, Sdk.ANGULAR)
    options = {"loader": "ts", "minify": True, "tsconfigRaw": {"compilerOptions": {"experimentalDecorators": True}}}
    build = "return require(given.esbuild).transformSync(given.code, given.options).code;"
    code = node.run(build, {"esbuild": str(NODE_MODULES / "esbuild"), "code": file.code, "options": options})
    # when it is compressed as servers do, then it is under 2 KiB
    assert len(gzip.compress(code.encode())) < 2048
