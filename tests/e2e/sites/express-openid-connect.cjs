// A site in Express, as somebody would build it with the guide. Settings come in one JSON argument.
const { auth } = require("express-openid-connect");
const express = require("express");

const { folder, port, domain, clientId, clientSecret, blueConic } = JSON.parse(process.argv[2]);
const baseURL = `http://localhost:${port}`;
const app = express();
const config = {
  authRequired: false, baseURL, clientID: clientId, clientSecret, issuerBaseURL: domain,
  secret: "a secret of this site that is long enough",
  authorizationParams: { response_type: "code", scope: "openid profile email" },
};
app.use(auth({ ...config, routes: { login: false } }));
app.get("/login", require(`${folder}/websync-login`)({ returnTo: "/" }));
app.get("/websync/token", require(`${folder}/websync-token-route`));
app.use("/public", express.static(`${folder}/public`));
app.get("/", (request, response) => {
  response.type("html").send(`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A site in Express</title>
    <script src="${blueConic}"></script>
    <script src="/public/websync-application.js"></script><script src="/public/websync-token.js"></script></head>
    <body><a href="/login" id="login">Log in</a> <p id="user">${request.oidc.user?.name ?? ""}</p> <p id="outcome"></p>
    <script>
      addEventListener("websync:synced", ({ detail }) => {
        document.querySelector("#outcome").textContent = JSON.stringify(detail);
      });
      document.querySelector("#login").addEventListener("click", loginWithWebsync);
      syncWithWebsync();
    </script></body></html>`);
});
app.listen(port, "127.0.0.1", () => console.log("listening"));
