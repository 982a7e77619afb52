"""What a guide says of each SDK: the lines to replace, where to call the token post. Shown, never executed."""

from collections.abc import Mapping
from dataclasses import dataclass

from snippets.sdks import Sdk


@dataclass(frozen=True, slots=True)
class SdkGuide:
    """``title`` is for the tab. ``login_before`` becomes ``login_after``; ``token_call`` is what runs after a login.

    ``login_note`` and ``token_note`` say where that stands. ``language`` is Pygments' name for these lines.
    """

    title: str
    login_note: str
    login_before: str
    login_after: str
    token_note: str
    token_call: str
    language: str = "javascript"


GUIDES: Mapping[Sdk, SdkGuide] = {
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
        "Call it in the page to which Auth0 sends visitors back, with what parseHash() found there.",
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

// in your pages
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
