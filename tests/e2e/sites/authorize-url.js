// A site that talks to Auth0 by itself: authorization code with PKCE. Its two scripts stand before this one.
const { domain, clientId, redirectUri } = document.body.dataset;
const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

async function logIn() {
  const verifier = base64url(crypto.getRandomValues(new Uint8Array(48)));
  sessionStorage.setItem("verifier", verifier);
  const challenge = base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
  const query = new URLSearchParams({
    response_type: "code", client_id: clientId, redirect_uri: redirectUri, scope: "openid profile email", state: "s",
    code_challenge: challenge, code_challenge_method: "S256",
  });
  location.assign(await withWebsync(`${domain}/authorize?${query}`));
}

document.querySelector("#app").innerHTML = '<button>Log in</button><p id="user"></p>';
document.querySelector("button").onclick = logIn;
const code = new URLSearchParams(location.search).get("code");
if (code) {
  const body = new URLSearchParams({
    grant_type: "authorization_code", client_id: clientId, code, redirect_uri: redirectUri,
    code_verifier: sessionStorage.getItem("verifier"),
  });
  const tokens = await (await fetch(`${domain}/oauth/token`, { method: "POST", body })).json();
  syncWithWebsync(tokens.id_token);
  document.querySelector("#user").textContent = JSON.parse(atob(tokens.id_token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))).nickname;
}
