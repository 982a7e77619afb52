"""The libraries with which sites and apps log visitors in, and the files that each of them needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Sdk(StrEnum):
    """How the site or app logs visitors in: a library of Auth0, or a URL of its own making."""

    SPA_JS = "auth0-spa-js"
    REACT = "auth0-react"
    ANGULAR = "auth0-angular"
    VUE = "auth0-vue"
    AUTH0_JS = "auth0.js"
    NEXTJS = "nextjs-auth0"
    EXPRESS = "express-openid-connect"
    AUTHORIZE_URL = "authorize-url"
    SWIFT = "auth0-swift"
    ANDROID = "auth0-android"
    FLUTTER = "auth0-flutter"
    REACT_NATIVE = "react-native-auth0"


@dataclass(frozen=True, slots=True)
class FileSpec:
    """One generated file: its template, where it stands in somebody's project, and its language."""

    template: str
    path: str
    language: str = "javascript"


_ANDROID_FOLDER = "app/src/main/java/websync"

APPLICATION_FILES: Mapping[Sdk, tuple[FileSpec, ...]] = {
    Sdk.SPA_JS: (FileSpec("application/auth0-spa-js.js.jinja", "websync-application.js"),),
    Sdk.REACT: (FileSpec("application/auth0-react.js.jinja", "src/websync-application.js"),),
    Sdk.ANGULAR: (FileSpec("application/auth0-angular.ts.jinja", "src/app/websync-application.ts", "typescript"),),
    Sdk.VUE: (FileSpec("application/auth0-vue.js.jinja", "src/websync-application.js"),),
    Sdk.AUTH0_JS: (FileSpec("application/auth0.js.js.jinja", "websync-application.js"),),
    Sdk.NEXTJS: (FileSpec("application/nextjs-auth0.js.jinja", "app/websync-application.js"),),
    Sdk.EXPRESS: (
        FileSpec("application/express-openid-connect.js.jinja", "public/websync-application.js"),
        FileSpec("application/express-openid-connect-server.js.jinja", "websync-login.js"),
    ),
    Sdk.AUTHORIZE_URL: (FileSpec("application/authorize-url.js.jinja", "websync-application.js"),),
    Sdk.SWIFT: (FileSpec("application/auth0-swift.swift.jinja", "WebsyncApplication.swift", "swift"),),
    Sdk.ANDROID: (
        FileSpec("application/auth0-android.kt.jinja", f"{_ANDROID_FOLDER}/WebsyncApplication.kt", "kotlin"),
    ),
    Sdk.FLUTTER: (FileSpec("application/auth0-flutter.dart.jinja", "lib/websync_application.dart", "dart"),),
    Sdk.REACT_NATIVE: (
        FileSpec("application/react-native-auth0.ts.jinja", "src/websync-application.ts", "typescript"),
    ),
}

TOKEN_FILES: Mapping[Sdk, tuple[FileSpec, ...]] = {
    Sdk.SPA_JS: (FileSpec("token/auth0-spa-js.js.jinja", "websync-token.js"),),
    Sdk.REACT: (FileSpec("token/auth0-react.js.jinja", "src/websync-token.js"),),
    Sdk.ANGULAR: (FileSpec("token/auth0-angular.ts.jinja", "src/app/websync-token.ts", "typescript"),),
    Sdk.VUE: (FileSpec("token/auth0-vue.js.jinja", "src/websync-token.js"),),
    Sdk.AUTH0_JS: (FileSpec("token/auth0.js.js.jinja", "websync-token.js"),),
    Sdk.NEXTJS: (
        FileSpec("token/nextjs-auth0.js.jinja", "app/websync-token.js"),
        FileSpec("token/nextjs-auth0-server.js.jinja", "app/websync/token/route.js"),
    ),
    Sdk.EXPRESS: (
        FileSpec("token/express-openid-connect.js.jinja", "public/websync-token.js"),
        FileSpec("token/express-openid-connect-server.js.jinja", "websync-token-route.js"),
    ),
    Sdk.AUTHORIZE_URL: (FileSpec("token/authorize-url.js.jinja", "websync-token.js"),),
    Sdk.SWIFT: (FileSpec("token/auth0-swift.swift.jinja", "WebsyncToken.swift", "swift"),),
    Sdk.ANDROID: (FileSpec("token/auth0-android.kt.jinja", f"{_ANDROID_FOLDER}/WebsyncToken.kt", "kotlin"),),
    Sdk.FLUTTER: (FileSpec("token/auth0-flutter.dart.jinja", "lib/websync_token.dart", "dart"),),
    Sdk.REACT_NATIVE: (FileSpec("token/react-native-auth0.ts.jinja", "src/websync-token.ts", "typescript"),),
}

SCRIPT_SDKS = frozenset({Sdk.SPA_JS, Sdk.AUTH0_JS, Sdk.EXPRESS, Sdk.AUTHORIZE_URL})
"""Those whose browser code is a classic script, so that a page may load it from Websync; the others need modules."""

NATIVE_SDKS = frozenset({Sdk.SWIFT, Sdk.ANDROID, Sdk.FLUTTER, Sdk.REACT_NATIVE})
"""Those of apps: no browser stands between app and Websync, and BlueConic's own SDK tells the app the profile id."""

TOKEN_SOURCES: Mapping[Sdk, str] = {
    Sdk.AUTH0_JS: "result",
    Sdk.NEXTJS: "route",
    Sdk.EXPRESS: "route",
    Sdk.AUTHORIZE_URL: "given",
}
"""Where the browser's code finds the token (templates/token/fresh_….js.jinja); the others ask the SDK's client."""
