// A site in React, as somebody would build it with the guide.
import { Auth0Provider, useAuth0 } from "@auth0/auth0-react";
import { createRoot } from "react-dom/client";
import { useLoginWithWebsync } from "./src/websync-application.js";
import { useSyncWithWebsync } from "./src/websync-token.js";

function App() {
  const { user } = useAuth0();
  const loginWithRedirect = useLoginWithWebsync();
  useSyncWithWebsync();
  return <><button onClick={() => loginWithRedirect()}>Log in</button><p id="user">{user?.name}</p></>;
}

const { domain, clientId, redirectUri } = document.body.dataset;
createRoot(document.querySelector("#app")).render(
  <Auth0Provider domain={domain} clientId={clientId} authorizationParams={{ redirect_uri: redirectUri }}>
    <App />
  </Auth0Provider>,
);
