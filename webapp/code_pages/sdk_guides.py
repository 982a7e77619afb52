"""What a guide says of each SDK: the lines to replace, where to call the token post. Shown, never executed."""

from collections.abc import Mapping
from dataclasses import dataclass

from snippets.goals import WebGoal
from snippets.sdks import Sdk


@dataclass(frozen=True, slots=True)
class SdkGuide:
    """``title`` is for the tab. ``login_before`` becomes ``login_after``; ``token_call`` is what runs after a login.

    ``login_with_values`` takes the place of ``login_after`` where the goal sends values and these lines have to name
    them. ``login_note`` and ``token_note`` say where that stands. ``language`` is Pygments' name for these lines.
    ``caveat`` says what our tests cannot do with the code.
    """

    title: str
    login_note: str
    login_before: str
    login_after: str
    token_note: str
    token_call: str
    language: str = "javascript"
    caveat: str = ""
    login_with_values: str = ""

    def login_lines(self, goal: WebGoal) -> str:
        """Return what ``login_before`` becomes for this goal."""
        return (goal.browser_properties and self.login_with_values) or self.login_after


NATIVE_LOGIN_NOTE = (
    "Save this file, then give its parameters to the login. Profile id and values come from BlueConic's mobile SDK; "
    "without them the login goes on as before."
)
NATIVE_CALL_NOTE = "Call it once the login has succeeded, and not where stored credentials are read or renewed."
NOT_EXECUTED = "Our tests check this code's syntax, and do not execute it: try it in your app before you release it."

SITE_GUIDES: Mapping[Sdk, SdkGuide] = {
    Sdk.SPA_JS: SdkGuide(
        "JavaScript",
        "Paste this code into the pages that log visitors in, then replace the call of auth0-spa-js.",
        "auth0Client.loginWithRedirect(options);",
        "loginWithWebsync(auth0Client, options);",
        "Call it once for each login, right after handleRedirectCallback(). Don't call it on every page load: "
        "auth0-spa-js gets a new token then (unless it keeps tokens in local storage), and each token counts once.",
        """if (location.search.includes("code=") && location.search.includes("state=")) {
  await auth0Client.handleRedirectCallback();
  history.replaceState({}, "", location.pathname);
  syncWithWebsync(auth0Client);
}""",
    ),
    Sdk.REACT: SdkGuide(
        "React",
        "Save this file, then use its hook in the components that log visitors in.",
        "const { loginWithRedirect } = useAuth0();",
        """import { useLoginWithWebsync } from "./websync-application.js";

const loginWithRedirect = useLoginWithWebsync();""",
        "Call the hook in one component inside Auth0Provider. It posts once after each login by redirect.",
        """import { useSyncWithWebsync } from "./websync-token.js";

function App() {
  useSyncWithWebsync();
  // …
}""",
        "jsx",
    ),
    Sdk.ANGULAR: SdkGuide(
        "Angular",
        "Save this file, then inject its service into the components that log visitors in.",
        """private auth = inject(AuthService);

this.auth.loginWithRedirect(options).subscribe();""",
        """private websyncLogin = inject(WebsyncLogin);

this.websyncLogin.loginWithRedirect(options).subscribe();""",
        "Start it in the constructor of your root component. It posts once after each login by redirect.",
        """export class App {
  constructor() {
    inject(WebsyncToken).start();
  }
}""",
        "typescript",
    ),
    Sdk.VUE: SdkGuide(
        "Vue",
        "Save this file, then use its composable in the components that log visitors in.",
        "const { loginWithRedirect } = useAuth0();",
        """import { useLoginWithWebsync } from "./websync-application.js";

const loginWithRedirect = useLoginWithWebsync();""",
        "Call the composable in the setup of your App component. It posts once after each login by redirect.",
        """import { useSyncWithWebsync } from "./websync-token.js";

useSyncWithWebsync();""",
    ),
    Sdk.AUTH0_JS: SdkGuide(
        "auth0.js",
        "Paste this code into the pages that log visitors in, then replace the call of auth0.js.",
        "webAuth.authorize(options);",
        "loginWithWebsync(webAuth, options);",
        "Call it in the page to which Auth0 sends visitors back, with what parseHash() found there. For ID tokens the "
        "login's responseType has to include id_token, for access tokens token.",
        """webAuth.parseHash((error, authResult) => {
  if (authResult) syncWithWebsync(authResult);
});""",
    ),
    Sdk.NEXTJS: SdkGuide(
        "Next.js",
        "Save this file, then log in by its function. Values of the visitor travel in the query of /auth/login.",
        """<a href="/auth/login">Log in</a>""",
        """import { loginWithWebsync } from "./websync-application.js";

<button onClick={() => loginWithWebsync()}>Log in</button>""",
        "Save both files: the route gives the visitor's own pages the token of the session, and the component posts it "
        "once.",
        """import { WebsyncToken } from "./websync-token.js";

<body>
  {children}
  <WebsyncToken />
</body>""",
        "jsx",
    ),
    Sdk.EXPRESS: SdkGuide(
        "Express",
        "The first file goes into your pages. The second takes the place of the login route of express-openid-connect.",
        "app.use(auth(config));",
        """app.use(auth({ ...config, routes: { login: false } }));
app.get("/login", require("./websync-login")({ returnTo: "/" }));

// in your pages, where the link is <a href="/login" id="login">Log in</a>
document.querySelector("#login").addEventListener("click", loginWithWebsync);""",
        "The first file goes into your pages, the second is a route that gives them the token of the session. Each "
        "token is posted once, so every page may call it.",
        """app.get("/websync/token", require("./websync-token-route"));

// in your pages
syncWithWebsync();""",
    ),
    Sdk.AUTHORIZE_URL: SdkGuide(
        "Any other",
        "Paste this code into the pages that log visitors in. It adds the parameters to the address of /authorize.",
        "location.assign(url);",
        "location.assign(await withWebsync(url));",
        "Call it with the token that your own code got from /oauth/token. Each token is posted once.",
        "syncWithWebsync(token);",
    ),
}

NATIVE_GUIDES: Mapping[Sdk, SdkGuide] = {
    Sdk.SWIFT: SdkGuide(
        "Swift",
        NATIVE_LOGIN_NOTE,
        "Auth0.webAuth().start()",
        "Auth0.webAuth().parameters(websyncParameters(profileId: profileId)).start()",
        NATIVE_CALL_NOTE,
        """case .success(let credentials):
    syncWithWebsync(credentials, profileId: profileId)""",
        "swift",
        NOT_EXECUTED,
        "Auth0.webAuth().parameters(websyncParameters(profileId: profileId, values: values)).start()",
    ),
    Sdk.ANDROID: SdkGuide(
        "Android",
        NATIVE_LOGIN_NOTE,
        "WebAuthProvider.login(account).start(context, callback)",
        """import websync.websyncParameters

WebAuthProvider.login(account).withParameters(websyncParameters(profileId)).start(context, callback)""",
        NATIVE_CALL_NOTE,
        """override fun onSuccess(result: Credentials) {
    syncWithWebsync(result, profileId)
}""",
        "kotlin",
        NOT_EXECUTED,
        """import websync.websyncParameters

WebAuthProvider.login(account).withParameters(websyncParameters(profileId, values)).start(context, callback)""",
    ),
    Sdk.FLUTTER: SdkGuide(
        "Flutter",
        NATIVE_LOGIN_NOTE,
        "final credentials = await auth0.webAuthentication().login();",
        """import 'websync_application.dart';

final credentials = await auth0.webAuthentication().login(parameters: websyncParameters(profileId));""",
        f"{NATIVE_CALL_NOTE} It is for iOS and Android: on the web take the code for JavaScript.",
        """import 'websync_token.dart';

// credentials are what login() gave
syncWithWebsync(credentials, profileId);""",
        "dart",
        NOT_EXECUTED,
        """import 'websync_application.dart';

final credentials = await auth0.webAuthentication().login(parameters: websyncParameters(profileId, values));""",
    ),
    Sdk.REACT_NATIVE: SdkGuide(
        "React Native",
        NATIVE_LOGIN_NOTE,
        "const credentials = await authorize({ scope });",
        """import { websyncParameters } from "./websync-application";

const credentials = await authorize({ scope, additionalParameters: websyncParameters(profileId) });""",
        NATIVE_CALL_NOTE,
        """import { syncWithWebsync } from "./websync-token";

// credentials are what authorize() gave
syncWithWebsync(credentials, profileId);""",
        "typescript",
        "Our tests execute this code without React Native: try it in your app before you release it.",
        """import { websyncParameters } from "./websync-application";

const credentials = await authorize({ scope, additionalParameters: websyncParameters(profileId, values) });""",
    ),
}

GUIDE_GROUPS: Mapping[str, Mapping[Sdk, SdkGuide]] = {"Sites": SITE_GUIDES, "Native apps": NATIVE_GUIDES}
"""The guides as tabs show them, under the title of each group."""

GUIDES: Mapping[Sdk, SdkGuide] = {**SITE_GUIDES, **NATIVE_GUIDES}
