// A site with auth0.js, as somebody would build it with the guide. Its two scripts stand before this one.
import auth0 from "auth0-js";

const { domain, clientId, redirectUri } = document.body.dataset;
const webAuth = new auth0.WebAuth({
  domain, clientID: clientId, redirectUri, responseType: "token id_token", scope: "openid profile email",
  // A tenant on this computer has no https, which auth0.js takes for granted.
  overrides: { __token_issuer: `${domain}/`, __jwks_uri: `${domain}/.well-known/jwks.json` },
});
document.querySelector("#app").innerHTML = '<button>Log in</button><p id="user"></p>';
document.querySelector("button").onclick = () => loginWithWebsync(webAuth);
webAuth.parseHash((error, authResult) => {
  if (error) document.querySelector("#user").textContent = error.errorDescription;
  if (!authResult) return;
  syncWithWebsync(authResult);
  document.querySelector("#user").textContent = authResult.idTokenPayload.name;
});
