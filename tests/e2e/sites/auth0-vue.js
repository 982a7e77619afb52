// A site in Vue, as somebody would build it with the guide.
import { createAuth0, useAuth0 } from "@auth0/auth0-vue";
import { createApp, h } from "vue";
import { useLoginWithWebsync } from "./src/websync-application.js";
import { useSyncWithWebsync } from "./src/websync-token.js";

const App = {
  setup() {
    const { user } = useAuth0();
    const loginWithRedirect = useLoginWithWebsync();
    useSyncWithWebsync();
    return () => [h("button", { onClick: () => loginWithRedirect() }, "Log in"), h("p", { id: "user" }, user.value?.name)];
  },
};

const { domain, clientId, redirectUri } = document.body.dataset;
createApp(App)
  .use(createAuth0({ domain, clientId, authorizationParams: { redirect_uri: redirectUri } }))
  .mount("#app");
